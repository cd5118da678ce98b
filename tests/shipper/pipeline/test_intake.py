import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groundwork.disk.files import open_below
from shipper.entry import Entry
from shipper.record.content import BLOCK_BYTES
from shipper.source import open_files
from shipper.source.catalog import FORGET_SECONDS, GONE_SECONDS
from shipper.source.followed import NOWHERE
from shipper.source.open_files import OPEN_FILES
from shipper.telemetry.events import Event
from tests.shipper.rig import HOUR, MINUTE, Rig, append, line
from tests.yardstick import cpu_seconds, read_all, stat_all

DAY = Path("host") / "2026-11-23"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "logs"
    root.mkdir()
    return root


@pytest.fixture
def path(root: Path) -> Path:
    return root / DAY / "20261123-101500-0a1b2c3d.jsonl"


@pytest.fixture
def rig(root: Path) -> Rig:
    return Rig(root)


def seqs(entries: list[bytes]) -> list[int]:
    """Return the numbers of lines."""
    return [int(each.partition(b'"seq":')[2].partition(b",")[0]) for each in entries]


def test_complete_lines_leave_and_a_torn_one_waits_for_its_newline(rig: Rig, path: Path) -> None:
    append(path, line(0), line(1))
    append(path, line(2)[:50], end=b"")
    rig.run()
    assert rig.lines == [line(0), line(1)]
    assert rig.intake.lag == (0, 50)

    append(path, line(2)[50:])
    rig.run()
    assert rig.lines == [line(0), line(1), line(2)]
    assert rig.intake.lag == (0, 0)


def test_a_line_is_completed_after_a_restart(rig: Rig, path: Path) -> None:
    append(path, line(0))
    append(path, line(1)[:50], end=b"")
    rig.run()
    rig.save()
    rig.restart()
    append(path, line(1)[50:], line(2))

    rig.run()

    assert rig.lines == [line(0), line(1), line(2)]


def test_a_torn_line_is_not_read_again_while_it_does_not_grow(
    rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, line(0))
    append(path, b"x" * 1000, end=b"")
    rig.run()
    reads: list[object] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def pread(self, *args: int) -> bytes:
            reads.append(args)
            return os.pread(*args)

    monkeypatch.setattr(open_files, "os", Counting())
    rig.run(5)

    assert not reads


def test_what_nobody_will_finish_leaves_as_it_is(rig: Rig, path: Path, root: Path) -> None:
    append(path, line(0))
    append(path, b'{"type":"request"', end=b"")
    append(root / "b.jsonl", b"no newline, no time", end=b"")
    append(root / "c.jsonl", line(1))
    rig.run()

    rig.intake.ship_torn(rig.now, rig.wall)
    rig.run()

    assert sorted(rig.lines[2:]) == [b"no newline, no time", b'{"type":"request"']
    assert rig.intake.lag == (0, 0)
    assert rig.intake.exhausted
    append(path, b"", line(2))
    rig.run()
    assert rig.lines[4:] == [line(2)]


def test_a_torn_line_longer_than_what_is_held_leaves_in_parts(rig: Rig, path: Path) -> None:
    torn = b"y" * (5 << 20)
    append(path, torn, end=b"")
    rig.run()

    rig.intake.ship_torn(rig.now, rig.wall)
    rig.run()

    assert rig.emitted[0].parts == len(rig.emitted) > 10
    assert rig.intake.lag == (0, 0)


ODD = {
    "NUL bytes": b"\x00\x00\x00",
    "broken UTF-8": b'{"type":"request","body":"\xff\xfe"}',
    "JSON that is no object": b"[1,2,3]",
    "a number": b"17",
    "no JSON": b"plain text",
    "blanks": b"   ",
    "a carriage return": b'{"type":"request"}\r',
    "deep JSON": b"[" * 5000 + b"]" * 5000,
}


@pytest.mark.parametrize("content", ODD.values(), ids=ODD.keys())
def test_odd_lines_leave_as_they_are_and_hold_up_nothing(rig: Rig, path: Path, content: bytes) -> None:
    append(path, line(0), content, line(1))

    rig.run()

    [odd] = [each for each in rig.emitted if each.part == 0][1:-1]
    assert odd.parts > 1 or odd.line == content
    assert (rig.lines[0], rig.lines[-1]) == (line(0), line(1))
    assert rig.intake.lag == (0, 0)
    assert odd.timestamp == rig.emitted[0].timestamp + 1


def test_empty_lines_are_passed_over(rig: Rig, path: Path) -> None:
    append(path, b"", line(0), b"", b"\r", b"", line(1), b"")

    rig.run()

    assert rig.lines == [line(0), line(1)]
    assert rig.intake.lag == (0, 0)
    rig.save()
    rig.restart()
    rig.run()
    assert len(rig.lines) == 2


def test_a_renamed_file_is_read_on(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    rotated = path.rename(path.with_suffix(".jsonl.1"))
    append(rotated, line(1))
    append(path, line(2))

    rig.run()

    assert sorted(seqs(rig.lines)) == [0, 1, 2]
    assert rig.files[rotated.name].file_id != rig.files[path.name].file_id


def test_a_file_renamed_between_two_processes_is_read_on(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    rig.save()
    rig.stop()
    append(path.rename(path.with_suffix(".jsonl.1")), line(1))
    append(path, line(2))
    rig.start()

    rig.run()

    assert sorted(seqs(rig.lines)) == [0, 1, 2]


def test_a_truncated_file_is_read_anew(rig: Rig, path: Path) -> None:
    append(path, line(0), line(1))
    rig.run()
    path.write_bytes(b"")
    append(path, line(2))

    rig.run()

    assert seqs(rig.lines) == [0, 1, 2]
    assert not rig.lost
    assert rig.events(Event.FILE_REWRITTEN) == 1


def test_a_file_truncated_and_outgrown_between_two_looks_leaves_nothing_waiting_or_lost(
    rig: Rig, path: Path
) -> None:
    append(path, line(0), line(1))
    rig.run()
    path.write_bytes(b"")
    append(path, *map(line, range(2, 20)))

    rig.run()

    assert seqs(rig.lines) == [*range(20)]
    assert rig.intake.lag.unsettled == 0
    rig.run(120.0)
    assert not rig.lost


def test_what_was_seen_between_two_truncations_counts_as_lost(rig: Rig, path: Path) -> None:
    append(path, line(0), line(1))
    rig.run()
    path.write_bytes(b"")
    append(path, line(2))
    rig.step(path)
    path.write_bytes(b"")
    append(path, line(3, size=80))
    rig.step(path)

    rig.run(GONE_SECONDS + 5)

    assert seqs(rig.lines) == [0, 1, 3]
    assert [(file, end - start) for file, start, end in rig.lost] == [(str(path), len(line(2)) + 1)]


def test_what_was_seen_of_a_shrunk_file_before_its_turn_counts_as_lost(root: Path, path: Path) -> None:
    rig = Rig(root, queue_size=1)
    rig.holds = True
    append(path, line(0), line(1))
    rig.run()
    append(path, line(2))
    rig.step(path)
    size = path.stat().st_size
    path.write_bytes(b"")
    rig.step(path)

    rig.run(GONE_SECONDS + 5)

    assert rig.lost == [(str(path), len(line(0)) + 1, size)]


def test_of_a_backlog_that_is_truncated_and_outgrown_what_was_seen_counts_as_lost(
    root: Path, path: Path
) -> None:
    rig = Rig(root, queue_size=1)
    rig.holds = True
    append(path, line(0))
    rig.run()
    for number in range(1, 4):
        append(path, line(number))
        rig.run()
    size = path.stat().st_size
    path.write_bytes(b"")
    for number in range(10, 14):
        append(path, line(number), line(number + 10))
        rig.run()

    rig.run(GONE_SECONDS + 5)

    assert rig.lost == [(str(path), len(line(0)) + 1, size)]
    rig.holds = False
    rig.run()
    assert sorted(seqs(rig.lines)) == [0, *range(10, 14), *range(20, 24)]


@pytest.mark.parametrize("count", [1, 2, 5], ids=["shorter", "as long", "longer"])
def test_a_file_that_was_rewritten_between_two_processes_is_read_anew(
    rig: Rig, path: Path, count: int
) -> None:
    append(path, line(0), line(1))
    rig.run()
    rig.save()
    rig.stop()
    path.write_bytes(b"".join(line(10 + number) + b"\n" for number in range(count)))
    rig.start()

    rig.run()

    assert seqs(rig.lines) == [0, 1, *range(10, 10 + count)]


def copy_and_truncate(path: Path, name: str = "copy.1") -> Path:
    copy = path.with_name(name)
    copy.write_bytes(path.read_bytes())
    path.write_bytes(b"")
    return copy


def test_what_was_not_read_of_a_truncated_file_is_read_from_its_copy(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    append(path, line(1), line(2))
    copy_and_truncate(path)
    append(path, line(3))

    rig.run(5)

    assert sorted(seqs(rig.lines)) == [0, 1, 2, 3]
    rig.run(GONE_SECONDS + 5)
    assert not rig.lost


def test_a_copy_made_while_no_process_ran_is_found(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    rig.save()
    rig.stop()
    append(path, line(1))
    copy_and_truncate(path)
    append(path, line(2), line(3), line(4))
    rig.start()

    rig.run(5)

    assert sorted(seqs(rig.lines)) == [0, 1, 2, 3, 4]


def test_lines_under_way_when_their_file_is_truncated_still_count_as_its_own(rig: Rig, path: Path) -> None:
    rig.holds = True
    append(path, line(0), line(1), line(2))
    rig.run()
    copy_and_truncate(path)
    rig.run(5)
    rig.settle(2)
    rig.save()

    rig.holds = False
    rig.restart()
    rig.run(5)

    assert seqs(rig.lines) == [0, 1, 2, 2]


def test_a_deleted_file_that_is_open_is_read_to_its_end(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    append(path, line(1))
    rig.step(path)
    append(path, line(2))
    rig.holds = True
    rig.pass_time(0.1)
    rig.intake.look([str(path)], rig.now, rig.wall)
    path.unlink()

    rig.run(3)

    assert seqs(rig.lines) == [0, 1, 2]


def test_a_deleted_file_that_was_read_leaves_without_a_word(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    path.unlink()

    rig.run(GONE_SECONDS + 5)

    assert not rig.lost
    assert rig.events(Event.FILE_GONE) == 0
    assert rig.reader.open_files == 0


def test_what_goes_with_a_file_unread_is_counted_once(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    rig.save()
    rig.stop()
    append(path, line(1))
    rig.start()
    rig.pass_time(1)
    rig.intake.look([], rig.now, rig.wall)
    size = path.stat().st_size
    rig.save()
    rig.stop()
    path.unlink()
    rig.start()
    rig.run(GONE_SECONDS + 5)
    assert rig.lost == [(str(path), len(line(0)) + 1, size)]
    assert rig.intake.lag == (0, 0)

    rig.save()
    rig.restart()
    rig.run(GONE_SECONDS + 5)
    assert len(rig.lost) == 1


def test_a_file_that_comes_back_within_a_day_goes_on(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    content = path.read_bytes()
    path.unlink()
    rig.run(GONE_SECONDS + 5)
    rig.save()
    rig.restart()
    rig.pass_time(HOUR)
    path.write_bytes(content)
    append(path, line(1))

    rig.run(5)

    assert seqs(rig.lines) == [0, 1]


def test_a_file_that_was_away_for_a_day_is_forgotten(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    rig.save()
    path.unlink()
    rig.run(GONE_SECONDS + 5)
    rig.pass_time(FORGET_SECONDS)
    rig.run()
    rig.save()

    assert not list(rig.intake.files)
    assert not rig.store.load().files


def test_a_file_that_is_deleted_and_made_anew_is_read_from_its_start(rig: Rig, path: Path) -> None:
    append(path, line(0), line(1))
    rig.run()
    path.unlink()
    append(path, line(2), line(3))

    rig.run()

    assert seqs(rig.lines) == [0, 1, 2, 3]
    rig.run(GONE_SECONDS + 5)
    assert not rig.lost


@pytest.mark.parametrize("count", [1, 2, 3], ids=["shorter", "as long", "longer"])
def test_a_file_made_anew_under_the_same_inode_is_read_from_its_start(
    rig: Rig, root: Path, path: Path, count: int
) -> None:
    append(path, line(0), line(1))
    rig.run()
    rig.save()
    rig.stop()
    before = path.stat().st_ino
    path.rename(path.with_suffix(".away"))
    append(path, *(line(10 + number) for number in range(count)))
    path.with_suffix(".away").unlink()
    checkpoint = root / ".llm-loki-ship" / "checkpoint.json"
    known = checkpoint.read_text()
    checkpoint.write_text(known.replace(f'"inode":{before}', f'"inode":{path.stat().st_ino}'))
    rig.start()

    rig.run()

    assert seqs(rig.lines) == [0, 1, *range(10, 10 + count)]


def test_after_a_remount_nothing_is_sent_again(rig: Rig, root: Path) -> None:
    for number in range(20):
        append(root / DAY / f"{number}.jsonl", line(number))
    rig.run()
    rig.save()
    rig.stop()
    checkpoint = root / ".llm-loki-ship" / "checkpoint.json"
    device = os.stat(root).st_dev  # noqa: PTH116 - the device is what matters
    checkpoint.write_text(checkpoint.read_text().replace(f'"device":{device}', '"device":4242'))
    append(root / DAY / "7.jsonl", line(100))
    rig.start()

    rig.run(GONE_SECONDS + 5)

    assert sorted(seqs(rig.lines)) == [*range(20), 100]
    assert not rig.lost


def test_a_folder_that_appears_after_start_is_followed(rig: Rig, root: Path) -> None:
    rig.run()
    append(root / "host" / "2026-11-24" / "a.jsonl", line(0))
    rig.run(2)
    assert seqs(rig.lines) == [0]

    append(root / "other" / "2026-11-25" / "b.jsonl", line(1))
    rig.run(2)
    assert seqs(rig.lines) == [0, 1]


def test_a_session_may_run_past_midnight_in_the_folder_of_its_day(rig: Rig, path: Path, root: Path) -> None:
    append(path, line(0))
    rig.run()
    append(root / "host" / "2026-11-24" / "b.jsonl", line(1))
    rig.run()
    for number in range(2, 20):
        rig.pass_time(5 * MINUTE)
        rig.run(1, append(path, line(number)))

    assert seqs(rig.lines) == list(range(20))


@pytest.mark.parametrize("away", ["host", "host/2026-11-23", "."], ids=["host", "day", "log folder"])
def test_a_folder_that_is_away_for_a_moment_costs_nothing(
    rig: Rig, root: Path, path: Path, away: str
) -> None:
    append(path, line(0))
    rig.run()
    append(path, line(1))
    folder = root / away
    hidden = root.parent / "away"
    folder.rename(hidden)
    rig.run(GONE_SECONDS - 10 if away != "." else GONE_SECONDS * 2)
    assert rig.events(Event.FILE_GONE) == 0
    hidden.rename(folder)

    rig.run(5)

    assert seqs(rig.lines) == [0, 1]
    assert not rig.lost
    assert rig.events(Event.FILE_UNREADABLE) == (1 if away == "." else 0)


def refusing(refused: Callable[[str], bool]) -> Callable[[Path, str, int], int]:
    """Return an ``open_below`` that refuses some paths."""

    def opened(root: Path, path: str, flags: int) -> int:
        if refused(path):
            raise PermissionError(13, "Permission denied")
        return open_below(root, path, flags)

    return opened


def test_a_file_that_cannot_be_read_for_a_while_loses_nothing(
    rig: Rig, root: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(open_files, "open_below", refusing(lambda each: each == str(path)))
        append(path, line(0))
        append(root / "b.jsonl", line(1))
        rig.run(10)
        assert seqs(rig.lines) == [1]
        assert rig.events(Event.FILE_UNREADABLE) == 1

    rig.run(2)
    assert seqs(rig.lines) == [1, 0]


def test_a_file_that_becomes_unreadable_goes_on_where_it_was(
    rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, line(0))
    rig.run()
    rig.reader.close()
    with monkeypatch.context() as patch:
        patch.setattr(open_files, "open_below", refusing(lambda _: True))
        append(path, line(1))
        rig.run(10)
        assert rig.events(Event.FILE_UNREADABLE) == 1
        assert rig.intake.lag.unsettled == len(line(1)) + 1

    rig.run(2)
    assert seqs(rig.lines) == [0, 1]


def test_an_error_amid_a_file_repeats_nothing_and_skips_nothing(
    rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def pread(self, *args: int) -> bytes:
            nonlocal calls
            calls += 1
            if calls % 3 == 0 and calls < 100:
                raise OSError(5, "Input/output error")
            return os.pread(*args)

    monkeypatch.setattr(open_files, "os", Failing())
    append(path, *(line(number, size=200_000) for number in range(20)), line(20, size=6 << 20), line(21))

    rig.run(40)

    assert seqs([each.line for each in rig.emitted if each.part == 0]) == list(range(22))
    assert rig.intake.lag == (0, 0)


def test_a_long_line_that_cannot_be_read_at_its_turn_is_read_later(
    rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, line(0), line(1, size=5 << 20), line(2))
    refusals = 3

    class Failing:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def pread(self, descriptor: int, size: int, offset: int) -> bytes:
            nonlocal refusals
            if size == BLOCK_BYTES and refusals:
                refusals -= 1
                raise OSError(5, "Input/output error")
            return os.pread(descriptor, size, offset)

    monkeypatch.setattr(open_files, "os", Failing())
    rig.run(10)

    assert not refusals
    assert seqs([each.line for each in rig.emitted if each.part == 0]) == [0, 1, 2]
    assert rig.intake.lag == (0, 0)


def test_bytes_that_are_told_before_they_can_be_read_are_read_later(
    rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network file system, where a size may be known before the pages are."""
    append(path, line(0))
    rig.run()

    class Behind:
        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

        def pread(self, descriptor: int, size: int, offset: int) -> bytes:
            return os.pread(descriptor, max(0, min(size, len(line(0)) + 1 - offset)), offset)

    with monkeypatch.context() as patch:
        patch.setattr(open_files, "os", Behind())
        append(path, line(1))
        rig.run(5)
        assert seqs(rig.lines) == [0]

    rig.run(2)
    assert seqs(rig.lines) == [0, 1]


def test_that_a_file_was_lost_is_remembered(rig: Rig, path: Path) -> None:
    append(path, line(0))
    rig.run()
    path.write_bytes(b"")
    rig.run()
    rig.save()
    rig.stop()

    lost, fresh = rig.store.load().files
    assert (lost.device, lost.inode) == NOWHERE
    assert lost.lost_at
    assert fresh.inode == path.stat().st_ino


@pytest.mark.slow
def test_ten_thousand_files_need_few_descriptors(rig: Rig, root: Path) -> None:
    for day in range(20):
        folder = root / "host" / f"2026-11-{day:02}"
        folder.mkdir(parents=True)
        for number in range(500):
            (folder / f"{number}.jsonl").write_bytes(line(day * 500 + number) + b"\n")
    started = time.process_time()
    rig.run(2)
    while rig.intake.ready or rig.held:
        rig.step()
    first = time.process_time() - started
    rig.run(3)

    assert sorted(seqs(rig.lines)) == list(range(10_000))
    assert rig.reader.open_files <= OPEN_FILES
    assert rig.intake.lag == (0, 0)
    rig.pass_time(HOUR)
    rig.run(1)
    costs = []
    for _ in range(10):
        rig.pass_time(1)
        costs.append(cpu_seconds(rig.step))
    assert sorted(costs)[2] < stat_all(root.rglob("*.jsonl"))
    assert first < 100 * read_all(root.rglob("*.jsonl"))


@pytest.mark.slow
def test_a_second_process_starts_fast_with_ten_thousand_files(rig: Rig, root: Path) -> None:
    """It has to open each of them once, as any may be another one by now."""
    for number in range(10_000):
        folder = root / f"{number % 20}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.jsonl").write_bytes(line(number) + b"\n")
    while not rig.intake.exhausted or len(rig.lines) < 10_000:
        rig.run(1)
    rig.save()
    rig.stop()
    started = time.process_time()

    rig.start()
    rig.run(1)

    assert time.process_time() - started < 100 * read_all(root.rglob("*.jsonl"))
    assert len(rig.lines) == 10_000


def times(entries: list[Entry]) -> list[float]:
    return [each.timestamp / 1e9 for each in entries]


def interleave(rig: Rig, root: Path) -> None:
    """Write six files whose lines interleave over five hours, 90 lines in 15 minutes."""
    start = rig.wall - 6 * HOUR
    for number in range(6 * 300):
        append(root / f"{number % 6}.jsonl", line(number, start + number / 6 * MINUTE))
    rig.holds = True


def read_all_that_may(rig: Rig) -> None:
    for _ in range(20):
        rig.step()
        rig.pass_time(0.1)
    assert not rig.intake.ready


def test_no_more_than_15_minutes_of_a_backlog_are_under_way(rig: Rig, root: Path) -> None:
    interleave(rig, root)
    overlaps = 0
    read_all_that_may(rig)
    while rig.held:
        under_way = times(list(rig.held))
        assert max(under_way) - min(under_way) <= 15 * MINUTE
        assert rig.intake.paused or rig.intake.exhausted
        ordered = sorted(rig.held, key=lambda each: each.timestamp)
        rig.held.clear()
        rig.held.extend(ordered)
        rig.settle(50)
        left, emitted = len(rig.held), len(rig.emitted)
        read_all_that_may(rig)
        overlaps += bool(left) and len(rig.emitted) > emitted

    assert sorted(seqs(rig.lines)) == list(range(6 * 300))
    assert rig.intake.exhausted
    assert overlaps > 10, "reading does not wait until all is settled"


def test_one_line_that_is_not_settled_holds_the_window(rig: Rig, root: Path) -> None:
    interleave(rig, root)
    read_all_that_may(rig)
    rig.held.rotate(-times(list(rig.held)).index(min(times(list(rig.held)))) - 1)

    rig.settle(len(rig.held) - 1)
    emitted = len(rig.emitted)
    read_all_that_may(rig)
    assert len(rig.emitted) == emitted

    rig.settle()
    read_all_that_may(rig)
    assert len(rig.emitted) > emitted


def test_what_is_set_aside_holds_no_window_open(rig: Rig, root: Path) -> None:
    append(root / "a.jsonl", line(0, rig.wall - HOUR), line(1, rig.wall))
    rig.holds = True
    rig.run()
    assert seqs(rig.lines) == [0]

    rig.intake.read(rig.now, rig.wall, set_aside=1)
    rig.run()

    assert seqs(rig.lines) == [0, 1]


def test_a_late_file_is_read_at_once(rig: Rig, root: Path) -> None:
    append(root / "a.jsonl", line(0, rig.wall - MINUTE))
    rig.run()
    append(root / "b.jsonl", line(1, rig.wall - 3 * HOUR))
    rig.holds = True
    append(root / "a.jsonl", line(2, rig.wall))

    rig.run(2)

    assert sorted(seqs(rig.lines)) == [0, 1, 2]


def test_lines_up_to_an_hour_ahead_wait_until_loki_takes_them(rig: Rig, root: Path) -> None:
    ahead = rig.wall + 50 * MINUTE
    append(root / "a.jsonl", line(0, ahead), line(1, ahead + 1))
    append(root / "b.jsonl", line(2, rig.wall))
    rig.run()
    assert seqs(rig.lines) == [2]
    assert not rig.intake.paused
    assert not rig.intake.exhausted

    rig.pass_time(42 * MINUTE)
    rig.run()

    assert seqs(rig.lines) == [2, 0, 1]
    assert times(rig.emitted)[1] == pytest.approx(ahead)


def test_more_than_an_hour_ahead_is_no_time(rig: Rig, root: Path) -> None:
    append(root / "a.jsonl", line(0, rig.wall - 10), line(1, rig.wall + 2 * HOUR), line(2, rig.wall - 5))
    rig.run()

    first, second, third = rig.emitted
    assert second.timestamp == first.timestamp + 1
    assert third.timestamp > second.timestamp


def test_lines_without_a_time_follow_the_one_before_also_after_a_restart(rig: Rig, path: Path) -> None:
    append(path, line(0, rig.wall - 10), line(1))
    rig.run()
    rig.save()
    rig.restart()
    append(path, line(2), line(3))
    rig.run()

    stamps = [each.timestamp for each in rig.emitted]
    assert stamps == [stamps[0] + number for number in range(4)]


def test_without_any_time_the_sessions_name_tells_it(rig: Rig, path: Path) -> None:
    append(path, line(0), line(1))
    rig.run()

    assert times(rig.emitted)[0] == 1_795_428_900
    assert rig.emitted[1].timestamp == rig.emitted[0].timestamp + 1


def test_a_moment_that_stands_for_a_time_is_remembered_before_the_line_leaves(rig: Rig, root: Path) -> None:
    append(root / "no-name.jsonl", line(0), line(1))
    rig.holds = True
    rig.intake.look([], rig.now, rig.wall)
    rig.intake.read(rig.now, rig.wall)
    assert not rig.emitted
    assert not rig.intake.exhausted
    rig.save()
    rig.run(2)
    first = [each.timestamp for each in rig.emitted]

    rig.restart()
    rig.pass_time(HOUR)
    rig.holds = False
    rig.run()

    assert [each.timestamp for each in rig.emitted] == first * 2


def test_a_full_budget_stops_reading_amid_a_turn(root: Path, path: Path) -> None:
    rig = Rig(root, queue_size=10)
    append(path, *(line(number) for number in range(100)))
    rig.holds = True

    rig.run()
    assert len(rig.held) == 10
    assert rig.intake.paused
    while rig.held:
        rig.settle(3)
        rig.step()
        assert len(rig.held) <= 10

    assert seqs(rig.lines) == list(range(100))


def test_nothing_of_a_long_line_stays_in_memory_between_turns(rig: Rig, root: Path) -> None:
    for number in range(20):
        append(root / f"{number}.jsonl", line(number, size=3 << 20)[:-10], end=b"")
    rig.run()

    assert sum(each.splitter.held_bytes for each in rig.intake.files) == 0


def refuse(rig: Rig, entry: Entry, limit: int) -> int:
    """Let Loki find an entry too long; return how many entries go again that it may have."""
    rig.held.remove(entry)
    rig.budget.give_back([entry])
    return rig.intake.relimit(limit, entry)


def test_a_line_that_is_too_long_for_another_limit_is_cut_to_it_alone(rig: Rig, path: Path) -> None:
    rig.holds = True
    append(path, line(0, size=1000), line(1, size=100_000), line(2, size=1000), line(3, size=100_000))
    rig.run()

    assert refuse(rig, rig.emitted[1], 50_000) == 0
    append(path, line(4, size=60_000))
    rig.run()

    again = rig.emitted[4:]
    assert [each.part for each in again[: again[0].parts]] == list(range(again[0].parts))
    assert {each.span for each in again} == {rig.emitted[1].span, again[-1].span}
    assert all(len(each.line) <= 50_000 for each in again)
    assert again[0].timestamp == rig.emitted[1].timestamp
    refuse(rig, rig.emitted[3], 50_000)
    rig.holds = False
    rig.run()
    assert rig.intake.lag == (0, 0)
    assert seqs([each.line for each in rig.emitted if each.part == 0]) == [0, 1, 2, 3, 1, 4, 3]


def test_a_part_that_is_too_long_for_another_limit_lets_its_file_be_read_again(rig: Rig, path: Path) -> None:
    rig.holds = True
    append(path, line(0, size=1000), line(1, size=600_000), line(2, size=1000))
    rig.run()
    rig.settle(1)

    assert refuse(rig, rig.emitted[3], 50_000) == 1, "the line behind it"
    rig.settle()
    rig.holds = False
    rig.run()

    assert seqs([each.line for each in rig.emitted if each.part == 0]) == [0, 1, 2, 1, 2]
    assert rig.intake.lag == (0, 0)


def test_cutting_again_waits_for_room(root: Path, path: Path) -> None:
    rig = Rig(root, queue_size=3)
    rig.holds = True
    append(path, line(0, size=250_000))
    rig.run()

    refuse(rig, rig.emitted[0], 50_000)
    rig.run()
    assert len(rig.held) == 3
    assert not rig.intake.exhausted
    rig.holds = False
    rig.run()

    assert rig.intake.exhausted
    assert rig.intake.lag == (0, 0)


@pytest.mark.parametrize("limit", [262_144, 100_000])
def test_parts_that_are_settled_are_not_sent_again_unless_they_are_cut_anew(
    root: Path, path: Path, limit: int
) -> None:
    rig = Rig(root)
    rig.holds = True
    append(path, line(0, size=1_000_000))
    rig.run()
    rig.settle(3)
    rig.save()
    rig.stop()
    sent = len(rig.emitted)
    rig._run = {"max_line_bytes": limit}
    rig.start()
    rig.run()

    assert rig.emitted[sent].part == (3 if limit == 262_144 else 0)
    rig.settle()
    assert rig.intake.lag == (0, 0)


def test_of_a_line_that_went_with_its_file_nothing_more_is_awaited(root: Path, path: Path) -> None:
    rig = Rig(root, queue_size=3)
    rig.holds = True
    append(path, line(0), line(1, size=3 << 20))
    rig.run()
    path.write_bytes(b"")
    rig.run(GONE_SECONDS + 5)
    assert rig.lost == [(str(path), len(line(0)) + 1, len(line(0)) + 2 + (3 << 20))]

    rig.settle()
    rig.run()

    assert rig.tracker.oldest() is None
    assert rig.intake.exhausted
    assert rig.intake.lag == (0, 0)


def test_a_file_that_cannot_be_read_after_a_restart_is_still_known_by_its_bytes(
    rig: Rig, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, *(line(number) for number in range(20)))
    rig.run()
    rig.save()
    rig.stop()
    append(path, line(20))
    rig.start()
    with monkeypatch.context() as patch:
        patch.setattr(open_files, "open_below", refusing(lambda _: True))
        rig.run(3)
    [file] = rig.intake.files
    assert file.mark.length
    path.write_bytes(path.read_bytes()[:1500] + path.read_bytes()[1500:].replace(b".", b"-"))
    rig.run()

    assert len(rig.lines) == 41


def test_files_with_one_inode_are_one_file(rig: Rig, path: Path) -> None:
    append(path, line(0))
    os.link(path, path.with_name("b.jsonl"))
    rig.run()
    path.unlink()
    append(path.with_name("b.jsonl"), line(1))

    rig.run(GONE_SECONDS + 5)

    assert seqs(rig.lines) == [0, 1]
    assert not rig.lost


def test_a_name_that_is_no_text_is_followed_and_remembered(rig: Rig, root: Path) -> None:
    path = root / os.fsdecode(b"caf\xe9.jsonl")
    append(path, line(0))
    rig.run()
    rig.save()
    rig.restart()
    append(path, line(1))
    rig.run()

    assert seqs(rig.lines) == [0, 1]


def test_lines_that_are_too_old_for_loki_are_rejected_by_the_run_when_all_others_have_left(
    rig: Rig, path: Path, root: Path
) -> None:
    old = [line(number, rig.wall - 9 * 24 * HOUR + number) for number in range(500)]
    append(path, *old, line(500, rig.wall - MINUTE))
    append(root / DAY / "live.jsonl", *(line(number, rig.wall - MINUTE) for number in range(600, 700)))
    rig.intake.window.oldest_accepted = int((rig.wall - 7 * 24 * HOUR) * 1e9)

    rig.run()

    assert sorted(seqs(rig.lines)) == [500, *range(600, 700)]
    assert sum(lines for _, lines, _ in rig.rejected) == 500
    assert len(rig.rejected) < 10
    assert all((name, emitted) == (path.name, 100) for name, _, emitted in rig.rejected), "live lines first"
    assert rig.intake.lag == (0, 0)
