"""Files as they really behave, under a shipper that runs."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.namespace import with_few_file_watches, without_file_events, without_rights_of_root
from tests.e2e.oracle import Account, wait_until_settled
from tests.e2e.stack import Shipper, Start, down, get, start_shipper
from tests.e2e.writer import HOSTS, Session, now_ns
from tests.fakes.loki import FakeLoki
from tests.process import eventually

_DAY = 24 * 3600 * 10**9


class Scene:
    """A running shipper, one session, and the proof that all of it arrived once."""

    def __init__(self, start: Start, loki: FakeLoki, logs: Path) -> None:
        self._start = start
        self.loki = loki
        self.logs = logs
        self.sessions = [Session(logs, seed=1)]
        self.logs.mkdir()
        self.shipper = self.start_shipper()

    @property
    def session(self) -> Session:
        return self.sessions[0]

    def another(self, **more: Any) -> Session:
        """Return a further session that has to arrive."""
        self.sessions.append(Session(self.logs, seed=len(self.sessions) + 1, **more))
        return self.sessions[-1]

    def start_shipper(self, **more: Any) -> Shipper:
        """Start a shipper on the same folder."""
        self.shipper = start_shipper(self._start, self.logs, self.loki.push_url, **more)
        return self.shipper

    def settled(self) -> Account:
        """Wait until every line has arrived; each is there once."""
        account = wait_until_settled(self.shipper, self.sessions, self.loki)
        assert account.copies == 0
        assert not account.rejected
        return account


@pytest.fixture
def scene(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> Scene:
    """A shipper that has shipped five lines."""
    made = Scene(start, fake_loki, tmp_path / "logs")
    made.session.append_many(5)
    made.settled()
    return made


@pytest.mark.parametrize("name", ["other.jsonl", "rotated.jsonl.1"])
def test_a_renamed_file_goes_on_under_any_name(scene: Scene, name: str) -> None:
    with down(scene.loki):
        scene.session.append_many(5)
        scene.session.path = scene.session.path.rename(scene.session.path.with_name(name))
        scene.session.append_many(5)

    scene.settled()
    scene.session.append_many(5)
    scene.settled()


def test_a_file_moved_to_another_folder_is_the_same_file(scene: Scene) -> None:
    folder = scene.logs / "elsewhere" / "2026-01-01"
    folder.mkdir(parents=True)
    scene.session.path = scene.session.path.rename(folder / scene.session.path.name)
    scene.session.append_many(5)
    scene.settled()


def test_a_truncated_file_is_read_anew(scene: Scene) -> None:
    os.truncate(scene.session.path, 0)
    scene.session.append_many(2)
    scene.settled()


def test_copy_and_truncate_loses_nothing_that_was_not_read(scene: Scene) -> None:
    with down(scene.loki):
        scene.session.append_many(5, size=200_000)
        shutil.copy(scene.session.path, scene.session.path.with_suffix(".jsonl.1"))
        os.truncate(scene.session.path, 0)
        scene.session.append_many(5)
    scene.settled()


def test_a_file_deleted_and_made_again_is_another_one(scene: Scene) -> None:
    scene.session.path.unlink()
    scene.session.append_many(5)
    scene.settled()
    scene.session.path.unlink()
    scene.settled()
    scene.session.append_many(5)
    scene.settled()


def test_a_file_deleted_while_its_lines_wait_is_still_delivered(scene: Scene) -> None:
    with down(scene.loki):
        scene.session.append_many(20)
        eventually(lambda: scene.shipper.health["lag_bytes"] > 0, what="the lines seen")
        eventually(lambda: scene.shipper.health["last_error"], what="the lines tried")
        scene.session.path.unlink()
    scene.settled()


@pytest.mark.parametrize("fate", ["deleted", "moved out"])
def test_what_is_appended_to_a_file_that_lost_its_name_arrives(
    scene: Scene, tmp_path: Path, fate: str
) -> None:
    with scene.session.path.open("ab") as file:
        if fate == "deleted":
            scene.session.path.unlink()
        else:
            scene.session.path.rename(tmp_path / "moved.jsonl")
        # A session beside it, found by a look that misses the name of this one.
        scene.another().append()
        scene.settled()
        line = scene.session.line()
        scene.session.remember(line)
        file.write(line + b"\n")

    scene.settled()


def test_a_file_replaced_by_its_copy_is_the_same_file(scene: Scene) -> None:
    copy = scene.session.path.with_suffix(".tmp")
    shutil.copy(scene.session.path, copy)
    copy.rename(scene.session.path)
    scene.session.append_many(5)
    scene.settled()


def test_a_file_replaced_by_its_copy_between_two_runs_is_the_same_file(scene: Scene) -> None:
    assert scene.shipper.process.terminate() == 0
    copy = scene.session.path.with_suffix(".tmp")
    shutil.copy(scene.session.path, copy)
    copy.rename(scene.session.path)
    scene.session.append_many(5)

    scene.start_shipper()

    scene.settled()


def test_a_session_that_runs_past_midnight_goes_on_in_the_folder_of_yesterday(scene: Scene) -> None:
    late = scene.another(begun=now_ns() - _DAY)
    late.append_many(5)
    scene.settled()
    tomorrow = scene.another(begun=now_ns() + _DAY)
    tomorrow.append_many(5)
    late.append_many(5)
    scene.settled()


def test_a_line_is_shipped_when_its_newline_comes_and_not_before(scene: Scene) -> None:
    line = scene.session.line(3000)
    scene.session.write(line[:1700])
    eventually(lambda: scene.shipper.health["torn_bytes"] == 1700, what="a torn line")
    assert scene.shipper.health["lag_bytes"] == 0
    scene.settled()

    _finish(scene.session, line, 1700)

    scene.settled()


def test_a_line_completed_after_a_restart_is_shipped_whole(scene: Scene) -> None:
    line = scene.session.line(3000)
    scene.session.write(line[:1700])
    eventually(lambda: scene.shipper.health["torn_bytes"] == 1700, what="a torn line")
    scene.shipper.process.kill()
    _finish(scene.session, line, 1700)

    scene.start_shipper()

    scene.settled()


def _finish(session: Session, line: bytes, begun: int) -> None:
    """Write the rest of a line of which the beginning is there."""
    session.remember(line)
    with session.path.open("ab") as file:
        file.write(line[begun:] + b"\n")


def test_a_torn_last_line_of_a_proxy_that_is_gone_is_shipped_at_the_very_end(scene: Scene) -> None:
    lock = scene.logs / ".llm-proxy" / "lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    torn = scene.session.line(3000)[:1700]
    scene.session.write(torn)
    eventually(lambda: scene.shipper.health["torn_bytes"] == 1700, what="a torn line")

    assert scene.shipper.process.terminate() == 0

    kept = next(kept for kept in scene.loki.entries() if kept.line == torn.decode())
    assert kept.labels["log_type"] == "unparsed"


def test_a_torn_last_line_of_an_unknown_writer_is_left_to_it(scene: Scene) -> None:
    line = scene.session.line(3000)
    scene.session.write(line[:1700])
    eventually(lambda: scene.shipper.health["torn_bytes"] == 1700, what="a torn line")

    assert scene.shipper.process.terminate() == 0
    assert not any(kept.labels["log_type"] == "unparsed" for kept in scene.loki.entries())


def test_odd_bytes_arrive_as_they_are(scene: Scene) -> None:
    for line in (
        b"",
        b"   ",
        b"\x00\x00\x00",
        b"no JSON at all",
        b"[1, 2, 3]",
        b"42",
        b"null",
        b'"text"',
        b"{}",
        b'{"type": 7, "_meta": [], "provider": {"a": 1}}',
        b'{"type":"request","_meta":{"ts":"never","session":"\xed\xa0\x80"}}',
        b'{"type":"request","body":"\\ud800"}',
        b"\xff\xfe broken \xc3",
        b'{"type":"response","body":"' + b"\xf0\x9f" * 200_000 + b'"}',
        b"carriage return\r",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        "\u2028 \u0085 \x0b \x0c \x1c".encode(),
        b'{"_split":{"id":"x","part":1,"of":1},"data":"not ours"}'[:-1],
        b"\x01" * 300_000,
    ):
        scene.session.write(line + b"\n")
    scene.settled()
    assert scene.shipper.process.terminate() == 0


def test_names_with_a_dot_and_other_files_are_never_shipped(scene: Scene) -> None:
    folder = scene.session.path.parent
    for name in (".hidden.jsonl", "notes.txt", ".llm-proxy/index.jsonl", "sub/.part.jsonl"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text('{"type":"request","note":"not a session"}\n')
    scene.session.append_many(5)
    scene.settled()
    assert not any("not a session" in line for line in scene.loki.lines())


def test_thousands_of_files_are_followed_with_few_descriptors(scene: Scene) -> None:
    for number in range(2000):
        scene.another(provider=list(HOSTS)[number % len(HOSTS)]).append()
    scene.settled()
    assert len(list(Path(f"/proc/{scene.shipper.process.pid}/fd").iterdir())) < 128


def test_files_that_cannot_be_read_for_a_while_lose_nothing(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    readable, locked = Session(tmp_path / "logs", seed=1), Session(tmp_path / "logs", seed=2)
    readable.append_many(5)
    locked.append_many(5)
    locked.path.chmod(0)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url, under=without_rights_of_root())
    shipper.process.wait_for("source.file_unreadable")
    eventually(lambda: shipper.health["entries_sent"] == 5)
    health = shipper.health
    assert (health["status"], health["unreadable"]) == ("error", 1)
    assert str(locked.path) in health["last_error"]
    assert health["lag_bytes"] == locked.path.stat().st_size
    assert get(f"{shipper.url}/readyz")[0] == 503

    locked.path.chmod(0o640)

    account = wait_until_settled(shipper, [readable, locked], fake_loki)
    assert account.copies == 0


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_run_that_ends_says_what_could_not_be_opened(
    start: Start, fake_loki: FakeLoki, tmp_path: Path, what: str
) -> None:
    readable, locked = (
        Session(tmp_path / "logs", seed=1),
        Session(tmp_path / "logs", seed=2, provider="openai"),
    )
    readable.append_many(5)
    locked.append_many(5)
    closed = locked.path if what == "file" else locked.path.parent.parent
    closed.chmod(0)
    try:
        run = start(
            "llm-loki-ship",
            "run",
            "--once",
            f"--log-dir={tmp_path / 'logs'}",
            "--loki-enabled",
            f"--loki-url={fake_loki.push_url}",
            under=without_rights_of_root(),
        )
        code = run.wait()
    finally:
        closed.chmod(0o750)

    assert code == 3
    assert len(fake_loki.lines()) == 5
    assert any(str(closed) in line for line in run.stdout)
    assert run.wait_for("shipper.stopped_early")
    assert run.wait_for("source.file_unreadable")["count"] == 1


def test_a_folder_that_is_closed_meanwhile_is_an_error_until_it_opens(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs", seed=1)
    session.append_many(5)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url, under=without_rights_of_root())
    wait_until_settled(shipper, [session], fake_loki)
    session.path.parent.chmod(0)
    eventually(lambda: shipper.health["status"] == "error", 90)
    session.path.parent.chmod(0o750)

    eventually(lambda: shipper.health["status"] == "ok")


def test_without_file_events_all_is_seen_by_looking(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs", seed=1)
    session.append_many(5)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url, under=without_file_events())
    shipper.process.wait_for("source.polling")
    wait_until_settled(shipper, [session], fake_loki)

    session.append_many(5)
    new = Session(tmp_path / "logs", seed=2)
    new.append_many(5)

    account = wait_until_settled(shipper, [session, new], fake_loki)
    assert account.copies == 0


def test_a_folder_without_a_watch_is_told_looked_at_and_watched_again(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs, enough = tmp_path / "logs", tmp_path / "enough"
    watched, deaf = Session(logs, seed=1), Session(logs, seed=2, provider="openai")
    watched.append()
    few = with_few_file_watches(4, enough)
    shipper = start_shipper(start, logs, fake_loki.push_url, under=few)
    wait_until_settled(shipper, [watched], fake_loki)
    for _ in range(3):
        deaf.append()
        wait_until_settled(shipper, [watched, deaf], fake_loki)
    told = shipper.process.wait_for("source.polling")
    assert str(deaf.path.parent) in told["reason"]

    # A file that was quiet for long has its turn once a minute elsewhere.
    os.utime(deaf.path, (0, 0))
    deaf.append()
    wait_until_settled(shipper, [watched, deaf], fake_loki)
    enough.touch()

    def heard_again() -> bool:
        deaf.append()
        return any(each.get("event") == "source.events_back" for each in shipper.process.events)

    eventually(heard_again, 60)
    assert wait_until_settled(shipper, [watched, deaf], fake_loki).copies == 0
