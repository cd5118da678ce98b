import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest

from proxy.record import journal as journal_module
from proxy.record.journal import Journal, UnknownSessionError, WriteFailure, session_path
from proxy.record.record import Bulk, Fork, Meta, Request, Response, SessionStart, Timing

SESSION = "20261123-101500-a1b2c3d4"
HOST = "api.anthropic.com"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    held = Journal(tmp_path)
    yield held
    held.close()


def meta(session: str = SESSION) -> Meta:
    return Meta(1, "u@h", HOST, session)


def request(session: str = SESSION, text: bytes = b'"x"', seq: int = 1) -> Request:
    return Request(meta(session), "anthropic", seq, "POST", "/v1/messages", {}, 1, Bulk("body", (text,)))


def response(session: str = SESSION) -> Response:
    return Response(meta(session), "anthropic", 1, 200, {}, Timing(1, 2), 1, Bulk("chunks", (b"[", b"]")))


def log(journal: Journal, *sessions: str) -> None:
    for session in sessions:
        journal.register_upstream(session, HOST)
        journal.log_request(request(session))


def lines(tmp_path: Path, session: str = SESSION) -> list[bytes]:
    return session_path(tmp_path, HOST, session).read_bytes().splitlines()


def test_every_kind_of_record_reaches_the_file_in_order(journal: Journal, tmp_path: Path) -> None:
    journal.register_upstream(SESSION, HOST)
    journal.log_session_start(SessionStart(meta(), "anthropic", HOST))
    journal.log_fork(Fork(meta(), "anthropic", 3, "20261122-000000-00000000"))
    journal.log_request(request())
    journal.log_response(response())

    assert journal.flush() == []
    types = [orjson.loads(line)["type"] for line in lines(tmp_path)]
    assert types == ["session_start", "fork", "request", "response"]


def test_the_path_is_host_day_and_session(tmp_path: Path) -> None:
    assert session_path(tmp_path, "h:80", SESSION) == tmp_path / "h:80" / "2026-11-23" / f"{SESSION}.jsonl"


def test_files_are_readable_by_the_group_alone(journal: Journal, tmp_path: Path) -> None:
    log(journal, SESSION)
    journal.flush()
    path = session_path(tmp_path, HOST, SESSION)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path.parent.parent)] == [0o750] * 2


def test_what_waits_goes_out_in_one_write_a_file(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = os.writev
    monkeypatch.setattr(os, "writev", lambda *args: writes.append(args[0]) or write(*args))
    log(journal, SESSION, "20261123-101500-00000002", SESSION)
    journal.flush()

    assert len(writes) == 2
    assert len(lines(tmp_path)) == 2


@pytest.mark.parametrize("most", [1, 7, 600, 1600])
@pytest.mark.parametrize("at_once", [1, 3, 1024])
def test_a_disk_that_takes_less_than_it_is_given_gets_the_rest(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, at_once: int
) -> None:
    def write(descriptor: int, pieces: Sequence[memoryview]) -> int:
        assert len(pieces) <= at_once
        return os.write(descriptor, b"".join(pieces)[:most])

    monkeypatch.setattr(journal_module, "_MOST_PIECES", at_once)
    monkeypatch.setattr(os, "writev", write)
    parts = (b'"', b"", *[bytes([letter]) * 600 for letter in b"abc"], b'"')
    journal.register_upstream(SESSION, HOST)
    journal.log_request(Request(meta(), "anthropic", 1, "POST", "/", {}, 1800, Bulk("body", parts)))
    log(journal, SESSION)

    assert journal.flush() == []
    assert [orjson.loads(line)["body"][::200] for line in lines(tmp_path)] == ["aaabbbccc", "x"]


def test_a_session_that_nobody_registered_is_an_error(journal: Journal) -> None:
    with pytest.raises(UnknownSessionError, match=SESSION):
        journal.log_request(request())


def test_few_files_stay_open_and_all_are_written_to(tmp_path: Path) -> None:
    journal = Journal(tmp_path, open_files=3)
    sessions = [f"20261123-101500-{number:08x}" for number in range(20)]
    before = open_files()
    for _ in range(2):
        for session in sessions:
            log(journal, session)
            journal.flush()

    assert open_files() - before == 3
    assert [len(lines(tmp_path, session)) for session in sessions] == [2] * 20
    journal.close()
    assert open_files() == before


def test_a_line_torn_by_a_dead_writer_is_closed_before_the_next(journal: Journal, tmp_path: Path) -> None:
    path = session_path(tmp_path, HOST, SESSION)
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"whole":1}\n{"torn":')
    log(journal, SESSION)
    journal.flush()

    assert lines(tmp_path)[:2] == [b'{"whole":1}', b'{"torn":']
    assert orjson.loads(lines(tmp_path)[2])["type"] == "request"


class Disk:
    """A disk that takes so many bytes more, then is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room: int | None = None
        monkeypatch.setattr(os, "writev", self.write)

    def write(self, descriptor: int, pieces: Sequence[memoryview]) -> int:
        if self.room is None:
            return os.write(descriptor, b"".join(pieces))
        if self.room == 0:
            raise OSError(28, "No space left on device")
        written = os.write(descriptor, b"".join(pieces)[: self.room])
        self.room -= written
        return written


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.mark.parametrize("room", [0, 1, 50])
def test_a_full_disk_is_told_and_spoils_no_line_after_it(
    journal: Journal, tmp_path: Path, disk: Disk, room: int
) -> None:
    log(journal, SESSION)
    journal.flush()
    disk.room = room
    log(journal, SESSION, SESSION)

    assert journal.flush() == [WriteFailure(SESSION, 2, "No space left on device")]
    disk.room = None
    log(journal, SESSION)
    assert journal.flush() == []
    assert len([line for line in lines(tmp_path) if is_json(line)]) == 2
    assert is_json(lines(tmp_path)[-1])


def test_a_full_disk_under_one_session_leaves_the_others_alone(journal: Journal, tmp_path: Path) -> None:
    other = "20261123-101500-0000000f"
    session_path(tmp_path, HOST, SESSION).mkdir(parents=True)
    log(journal, SESSION, other)

    assert [(each.session, each.records) for each in journal.flush()] == [(SESSION, 1)]
    assert len(lines(tmp_path, other)) == 1


def test_a_long_line_leaves_in_several_writes_and_is_whole(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "_ONE_WRITE", 1000)
    parts = (b'"', *[b"x" * 600] * 10, b'"')
    journal.register_upstream(SESSION, HOST)
    journal.log_request(Request(meta(), "anthropic", 1, "POST", "/", {}, 6000, Bulk("body", parts)))
    log(journal, SESSION)

    assert journal.flush() == []
    assert [len(orjson.loads(line)["body"]) for line in lines(tmp_path)] == [6000, 1]


@pytest.mark.parametrize("room", [0, 700, 3000])
def test_a_long_line_that_breaks_off_is_closed_and_let_go(
    journal: Journal, tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(journal_module, "_ONE_WRITE", 1000)
    closed = []

    def body() -> Iterator[bytes]:
        try:
            yield b'"'
            for _ in range(10):
                yield b"x" * 600
            yield b'"'
        finally:
            closed.append(1)

    disk.room = room
    journal.register_upstream(SESSION, HOST)
    journal.log_request(Request(meta(), "anthropic", 1, "POST", "/", {}, 6000, Bulk("body", body())))
    assert closed == [1]
    assert [each.records for each in journal.flush()] == [1]

    disk.room = None
    log(journal, SESSION)
    assert journal.flush() == []
    assert [is_json(line) for line in lines(tmp_path)][-1]
    assert sum(map(is_json, lines(tmp_path))) == 1


@pytest.mark.parametrize("size", [10, 40_000])
@pytest.mark.parametrize("earlier", [10, 40_000])
def test_a_body_that_cannot_be_read_takes_its_own_line_along_only(
    journal: Journal, tmp_path: Path, size: int, earlier: int
) -> None:
    def body() -> Iterator[bytes]:
        yield b'"' + b"x" * size
        raise OSError("gone")

    journal.register_upstream(SESSION, HOST)
    for whole in (Bulk("body", (b'"', b"y" * earlier, b'"')), Bulk("body", (b'"z"',))):
        journal.log_request(Request(meta(), "anthropic", 1, "POST", "/", {}, 1, whole))
    with pytest.raises(OSError, match="gone"):
        journal.log_request(Request(meta(), "anthropic", 1, "POST", "/", {}, 1, Bulk("body", body())))
    log(journal, SESSION)

    assert journal.flush() == []
    assert [orjson.loads(line)["body"] for line in lines(tmp_path)] == ["y" * earlier, "z", "x"]


def test_a_file_that_was_removed_is_made_anew(journal: Journal, tmp_path: Path) -> None:
    log(journal, SESSION)
    journal.flush()
    session_path(tmp_path, HOST, SESSION).unlink()
    log(journal, SESSION)
    journal.flush()

    assert len(lines(tmp_path)) == 1


def test_a_link_in_place_of_a_file_is_not_followed(journal: Journal, tmp_path: Path) -> None:
    path = session_path(tmp_path, HOST, SESSION)
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "elsewhere")
    log(journal, SESSION)

    assert [each.records for each in journal.flush()] == [1]
    assert not (tmp_path / "elsewhere").exists()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
