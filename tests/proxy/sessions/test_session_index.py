"""Sessions found again on disk."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from proxy.content.messages.chain import chain
from proxy.record.journal import Journal, session_path
from proxy.record.record import (
    Bulk,
    Fork,
    History,
    Meta,
    Record,
    Request,
    Response,
    SessionStart,
    Timing,
    encode,
    interrupted,
)
from proxy.sessions import session_index as archive_module
from proxy.sessions.replay import HEAD, Handle, LoggedReply, LoggedRequest, Unanswered
from proxy.sessions.session_index import Archive
from tests.yardstick import read_all

HOST = "api.openai.com"
FIRST, SECOND = "20261123-101500-00000001", "20261124-101500-00000002"
LINKS = [step.link for step in chain([{"role": "user", "content": str(number)} for number in range(9)])]


def meta(session: str = FIRST, request_id: str = "") -> Meta:
    return Meta(1, "u@h", HOST, session, request_id)


def start(session: str = FIRST, key: str = "") -> SessionStart:
    return SessionStart(meta(session), "openai", HOST, key)


def request(seq: int, n: int = 1, parent: int = 0, session: str = FIRST, **more: Any) -> Request:
    history = History(n, LINKS[n - 1].hex(), parent)
    body = Bulk("body", (b'"x"',))
    fields: dict[str, Any] = {"path": "/v1/responses", "headers": {}, "history": history, "body": body}
    return Request(
        meta=meta(session, f"r{seq}"), provider="openai", seq=seq, method="POST", size=1, **fields | more
    )


def response(seq: int, response_id: str = "", session: str = FIRST, text: str = "") -> Response:
    return Response(
        meta(session, f"r{seq}"), "openai", seq, 200, {}, Timing(1, 2), 1,
        Bulk("body", (orjson.dumps(text),)), response_id=response_id,
    )  # fmt: skip


def write(log_dir: Path, *records: Record, noted: bool = True) -> None:
    """Write what a proxy's life logged, its index with it where ``noted``."""
    journal, archive = Journal(log_dir), Archive(log_dir)
    archive.known()
    for each in records:
        journal.register_upstream(each.meta.session, HOST)
        getattr(journal, f"log_{_kind(each)}")(each)
        if noted:
            archive.note(each)
            if isinstance(each, Response) and each.response_id:
                archive.note_handle(
                    HOST, each.meta.session, Handle("response_id", each.response_id, each.seq)
                )
    archive.flush()
    archive.close()
    assert journal.close() == []


def _kind(record: Record) -> str:
    return "session_start" if isinstance(record, SessionStart) else type(record).__name__.lower()


@pytest.fixture(params=["with its index", "without its index", "with half an index"])
def restart(request: pytest.FixtureRequest) -> Callable[[Path], Archive]:
    def begin(log_dir: Path) -> Archive:
        index = log_dir / ".llm-proxy" / "index.jsonl"
        if request.param == "without its index":
            index.unlink()
        elif request.param == "with half an index":
            index.write_bytes(index.read_bytes()[1:] + b'{"session": 7}\n{"ses')
        return Archive(log_dir)

    return begin


def test_sessions_are_known_by_their_beginning(tmp_path: Path, restart: Callable[[Path], Archive]) -> None:
    write(
        tmp_path, start(key="k"), request(1), response(1, "resp_1"), request(2, 3, 1), response(2, "resp_2")
    )
    write(tmp_path, start(SECOND), Fork(meta(SECOND), "openai", 1, FIRST), request(1, 5, session=SECOND))
    os.utime(session_path(tmp_path, HOST, SECOND), (1, 1))
    second, first = restart(tmp_path).known()

    assert (first.session, first.provider, first.upstream) == (FIRST, "openai", HOST)
    assert (first.client_session, first.begun, first.parent) == ("k", LINKS[0], "")
    assert first.handles == (Handle("response_id", "resp_1", 1), Handle("response_id", "resp_2", 2))
    assert (second.session, second.client_session, second.begun) == (SECOND, "", LINKS[4])
    assert (second.parent, second.handles) == (FIRST, ())


def test_a_session_is_recalled(tmp_path: Path) -> None:
    write(
        tmp_path, start(key="k"), request(1), response(1), request(2, 3, 1), request(3), response(3, "resp_3")
    )
    past = Archive(tmp_path).recall(HOST, FIRST)

    assert past is not None
    assert past.seq == 3
    assert past.calls == (
        LoggedRequest(1, LINKS[0], 0),
        LoggedReply(1),
        LoggedRequest(2, LINKS[2], 1),
        LoggedRequest(3, LINKS[0], 0),
        LoggedReply(3, response_id="resp_3"),
    )
    assert past.unanswered == (Unanswered(FIRST, 2, "r2", "", ""),)
    write(tmp_path, interrupted(meta(request_id="r2"), "openai", 2))
    closed = Archive(tmp_path).recall(HOST, FIRST)
    assert closed is not None
    assert closed.unanswered == ()


@pytest.mark.parametrize("cut", [1, 2, 20, 400])
def test_a_number_on_a_line_that_broke_off_is_not_given_again(tmp_path: Path, cut: int) -> None:
    write(
        tmp_path, start(), request(1), response(1), request(2, body=Bulk("body", (b'"' + b"x" * 400 + b'"',)))
    )
    path = session_path(tmp_path, HOST, FIRST)
    path.write_bytes(path.read_bytes()[:-cut])
    past = Archive(tmp_path).recall(HOST, FIRST)

    assert past is not None
    assert (past.seq, past.unanswered) == (2, ())


def test_a_response_that_broke_off_is_none(tmp_path: Path) -> None:
    write(tmp_path, start(), request(1), response(1, text="long enough"))
    path = session_path(tmp_path, HOST, FIRST)
    path.write_bytes(path.read_bytes()[:-4])
    past = Archive(tmp_path).recall(HOST, FIRST)

    assert past is not None
    assert [each.request_id for each in past.unanswered] == ["r1"]


def test_lines_of_any_length_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "_PIECE", 1000)
    long = request(1, body=Bulk("body", (b'"' + b"x" * 3 * HEAD + b'"',)))
    wide = request(2, 3, 1, path="/" + "p" * 60_000, query="q" * 60_000)
    write(tmp_path, start(), long, response(1), wide, response(2), request(3, 4))
    past = Archive(tmp_path).recall(HOST, FIRST)

    assert past is not None
    assert (past.seq, len(past.calls), len(past.unanswered)) == (3, 5, 1)


@pytest.mark.parametrize(
    "odd",
    [b"", b"\n", b"\xff\xfe\n", b"[1]\n", b'{"type":"session_start"}\n{"type":"request"}\n', b"{}\n" * 9],
)
def test_odd_files_harm_nothing(tmp_path: Path, odd: bytes) -> None:
    path = session_path(tmp_path, HOST, FIRST)
    path.parent.mkdir(parents=True)
    path.write_bytes(odd)
    for each in ("sub.jsonl", f"{FIRST}.json", ".hidden"):
        (path.parent / each).write_bytes(odd)
    (tmp_path / HOST / "2026-11-25").symlink_to(path.parent)
    write(tmp_path, start(SECOND, "k"), request(1, session=SECOND))

    assert "k" in {each.client_session for each in Archive(tmp_path).known()}
    past = Archive(tmp_path).recall(HOST, FIRST)
    assert past is not None
    assert past.seq == 0


def test_a_session_without_a_file_is_not_recalled(tmp_path: Path) -> None:
    assert Archive(tmp_path).recall(HOST, FIRST) is None


def test_an_index_that_cannot_be_written_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = Archive(tmp_path)
    archive.known()
    archive.note(start(key="k"))
    archive.note(request(1))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        archive.flush()
    assert not (tmp_path / ".llm-proxy" / "index.jsonl").exists()


def test_the_index_is_written_anew_before_it_grows_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_APPENDED", 50)
    monkeypatch.setattr(archive_module, "REMEMBERED", 10)
    archive = Archive(tmp_path)
    archive.known()
    for number in range(500):
        session = f"20261123-101500-{number:08x}"
        archive.note(start(session, f"k{number}"))
        archive.note(request(1, session=session))
    archive.flush()
    archive.close()
    lines = (tmp_path / ".llm-proxy" / "index.jsonl").read_bytes().splitlines()

    assert 10 <= len(lines) <= 61
    assert orjson.loads(lines[-1])["client_session"] == "k499"


@pytest.mark.slow
def test_ten_thousand_sessions_are_found_in_time(tmp_path: Path) -> None:
    for number in range(10_000):
        session = f"202611{number % 20 + 1:02}-101500-{number:08x}"
        path = session_path(tmp_path, HOST, session)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            b"".join([*encode(start(session, f"k{number}")), *encode(request(1, session=session))])
        )

    for _ in ("without an index", "with the one that was just written"):
        began = time.process_time()
        assert len(Archive(tmp_path).known()) == 10_000
        assert time.process_time() - began < 40 * read_all(tmp_path.rglob("*.jsonl"))
