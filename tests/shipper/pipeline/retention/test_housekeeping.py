import logging
import os
from pathlib import Path
from typing import Any

import pytest

from groundwork.eventlog import EventLog
from shipper.pipeline.retention import trash as trash_module
from shipper.pipeline.retention.housekeeping import PASS_SECONDS, Housekeeping
from shipper.pipeline.retention.rules import GRACE_SECONDS
from shipper.pipeline.retention.trash import Trash
from shipper.source.catalog import GONE_SECONDS
from shipper.telemetry.events import Event, Reporter
from tests.shipper.rig import HOUR, Rig, append, line

DAY = 24 * HOUR


class House:
    """A rig that keeps its files for a day."""

    def __init__(self, root: Path, retention: float = DAY) -> None:
        self.rig = Rig(root)
        self.trash = root / ".trash"
        self.refused: frozenset[str] = frozenset()
        self.retention = retention
        self.start()

    def start(self) -> None:
        rig = self.rig
        self.keeping = Housekeeping(
            Trash(rig.root),
            self.retention,
            Reporter(EventLog(logging.getLogger("house")), rig.metrics),
            discovery=rig.discovery,
            reader=rig.reader,
            intake=rig.intake,
            refused=lambda: self.refused,
        )

    def restart(self) -> None:
        self.rig.save()
        self.rig.restart()
        self.start()

    def live(self, seconds: float = 0.0) -> None:
        """Let time pass, look once more, and tidy."""
        self.rig.pass_time(seconds)
        self.rig.reader.look_at_all()
        self.rig.run(3)
        self.rig.pass_time(PASS_SECONDS)
        self.keeping.tidy(self.rig.now, self.rig.wall)
        self.rig.run(3)

    def told(self, event: Event) -> int:
        return self.rig.events(event)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "logs"
    root.mkdir()
    return root


@pytest.fixture
def path(root: Path) -> Path:
    return root / "host" / "2026-11-20" / "20261120-101500-0a1b2c3d.jsonl"


@pytest.fixture
def house(root: Path) -> House:
    return House(root)


def aside(house: House, path: Path) -> Path:
    return house.trash / path.relative_to(house.rig.root)


def test_a_delivered_file_leaves_in_two_steps(house: House, path: Path) -> None:
    append(path, line(0))
    house.live()
    assert path.exists()

    house.live(DAY)
    assert not path.exists()
    assert aside(house, path).read_bytes() == line(0) + b"\n"
    house.live(GRACE_SECONDS / 2)
    assert aside(house, path).exists()

    house.live(GRACE_SECONDS)
    assert not aside(house, path).exists()
    house.rig.run(GONE_SECONDS + 5)
    assert not list(house.rig.intake.files)
    assert not house.rig.lost
    assert house.rig.lines == [line(0)]
    assert house.told(Event.FILE_PUT_ASIDE) == house.told(Event.FILE_REMOVED) == 1
    assert house.told(Event.FILE_MOVED) == 0


def test_what_is_not_delivered_stays(house: House, path: Path) -> None:
    house.rig.holds = True
    append(path, line(0))
    append(path.with_name("torn.jsonl"), b"torn", end=b"")

    house.live(3 * DAY)
    assert not house.trash.exists()
    house.rig.settle()
    house.live()
    assert not path.exists()
    assert path.with_name("torn.jsonl").exists()


def test_what_was_refused_stays_as_long_as_it_is_on_the_list(house: House, path: Path) -> None:
    append(path, line(0))
    house.refused = frozenset({str(path)})
    house.live(3 * DAY)
    assert path.exists()

    house.refused = frozenset()
    house.live()
    assert not path.exists()
    house.refused = frozenset({str(path)})
    house.live(2 * GRACE_SECONDS)
    assert path.exists()


def test_what_is_written_to_a_file_aside_arrives_and_brings_it_back(house: House, path: Path) -> None:
    append(path, line(0))
    with path.open("ab", buffering=0) as writer:
        house.live(DAY)
        assert aside(house, path).exists()
        house.rig.pass_time(GRACE_SECONDS)
        writer.write(line(1) + b"\n")
        now = house.rig.wall
        os.utime(aside(house, path), (now, now))
        house.live()

    assert house.rig.lines == [line(0), line(1)]
    assert path.read_bytes() == line(0) + b"\n" + line(1) + b"\n"
    assert not aside(house, path).exists()
    assert house.told(Event.FILE_TAKEN_BACK) == 1


def test_what_is_written_at_the_last_moment_keeps_the_file(house: House, path: Path) -> None:
    append(path, line(0))
    house.live(DAY)
    house.rig.pass_time(2 * GRACE_SECONDS)
    append(aside(house, path), line(1))

    house.keeping.tidy(house.rig.now, house.rig.wall)

    assert aside(house, path).exists()
    house.live()
    assert house.rig.lines == [line(0), line(1)]


def test_another_file_in_the_place_of_a_delivered_one_stays(house: House, path: Path) -> None:
    append(path, line(0))
    house.rig.run()
    house.rig.pass_time(DAY + HOUR)
    path.rename(path.with_name("moved.jsonl.1"))
    append(path, line(1))

    house.keeping.tidy(house.rig.now, house.rig.wall)
    assert path.exists()
    house.live(3 * DAY)
    assert house.rig.lines == [line(0), line(1)]


def test_a_file_that_was_not_seen_in_this_process_stays(house: House, path: Path) -> None:
    append(path, line(0))
    house.rig.run()
    house.rig.save()
    house.rig.restart()
    house.start()
    house.rig.pass_time(3 * DAY)

    house.keeping.tidy(house.rig.now, house.rig.wall)

    assert path.exists()


def test_a_session_that_begins_anew_under_the_same_name_waits_for_its_place(house: House, path: Path) -> None:
    append(path, line(0))
    house.live(DAY)
    append(path, line(1))
    house.live()
    assert house.rig.lines == [line(0), line(1)]

    assert path.exists()
    for _ in range(3):
        house.live(2 * GRACE_SECONDS)
    assert not path.exists()
    assert not aside(house, path).exists()
    assert house.rig.lines == [line(0), line(1)]


def test_a_restart_sends_nothing_again_and_counts_the_hour_anew(house: House, path: Path) -> None:
    append(path, line(0))
    house.live(DAY)
    house.rig.pass_time(GRACE_SECONDS)
    house.restart()

    house.live()
    assert aside(house, path).exists()
    house.live(GRACE_SECONDS)
    assert not aside(house, path).exists()
    house.restart()
    house.live()
    assert house.rig.lines == [line(0)]


def test_without_a_checkpoint_what_is_aside_is_sent_once_more_and_then_goes(house: House, path: Path) -> None:
    append(path, line(0))
    house.live(DAY)
    house.rig.stop()
    for each in (house.rig.root / ".llm-loki-ship").iterdir():
        each.unlink()
    house.rig.start()
    house.start()

    house.live()
    house.live(GRACE_SECONDS)

    assert house.rig.lines == [line(0), line(0)]
    assert not aside(house, path).exists()


def test_without_retention_all_stays_and_comes_back(house: House, path: Path) -> None:
    append(path, line(0))
    append(path.with_name("other.jsonl"), line(1))
    house.live(DAY)
    assert not path.exists()

    house.retention = 0.0
    house.start()
    house.live(DAY)

    assert path.exists()
    assert path.with_name("other.jsonl").exists()
    assert house.rig.lines == [line(0), line(1)]


def test_empty_folders_of_days_go_and_others_stay(house: House, root: Path, path: Path) -> None:
    append(path, line(0))
    (root / "host" / "notes").mkdir()
    (root / "other").mkdir()
    house.live(DAY)
    assert path.parent.exists(), "a writer may be about to use what was emptied just now"

    for _ in range(4):
        house.live(2 * GRACE_SECONDS)

    assert not path.parent.exists()
    assert (root / "host" / "notes").exists()
    assert (root / "other").exists()
    assert not (house.trash / "host").exists()


def test_a_folder_that_was_empty_for_a_moment_only_stays(root: Path) -> None:
    folder = root / "host" / "2026-11-20"
    folder.mkdir(parents=True)
    trash, made = Trash(root), folder.stat().st_mtime

    trash.remove_folder(str(folder), made)
    assert folder.exists()
    trash.remove_folder(str(folder), made + 1)
    assert not folder.exists()


def test_a_folder_with_anything_in_it_stays(house: House, path: Path) -> None:
    append(path, line(0))
    (path.parent / ".hidden").touch()

    for _ in range(3):
        house.live(DAY)

    assert (path.parent / ".hidden").exists()


def test_a_disk_that_refuses_is_told_and_costs_nothing(
    house: House, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def link(self, source: str, target: str, **how: Any) -> None:
            if source == path.name:
                raise OSError(18, "Invalid cross-device link")
            os.link(source, target, **how)

    append(path, line(0))
    append(path.with_name("other.jsonl"), line(1))
    with monkeypatch.context() as patch:
        patch.setattr(trash_module, "os", Refusing())
        house.live(DAY)
    assert path.exists()
    assert not path.with_name("other.jsonl").exists()
    assert house.told(Event.RETENTION_FAILED) == 1

    house.live()
    assert not path.exists()


def test_while_nobody_can_tell_what_was_refused_all_stays(house: House, path: Path) -> None:
    def cannot_tell() -> frozenset[str]:
        raise PermissionError(13, "Permission denied")

    append(path, line(0))
    house.keeping._refused = cannot_tell
    house.live(2 * DAY)

    assert path.exists()
    assert house.told(Event.RETENTION_FAILED) == 1


def test_the_size_of_the_folder_and_the_free_space_are_known(house: House, path: Path) -> None:
    append(path, line(0))
    append(path.with_name("foreign.log"), line(1))

    house.live()

    assert house.keeping.disk.used == 2 * (len(line(0)) + 1)
    free = os.statvfs(path).f_bavail * os.statvfs(path).f_frsize
    assert abs(house.keeping.disk.free - free) < free / 10
