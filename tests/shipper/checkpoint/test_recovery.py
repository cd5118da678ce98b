"""What a process finds that comes after one which was killed behind a line that Loki did not take."""

from pathlib import Path

from shipper.checkpoint.inflight import InflightLog
from shipper.checkpoint.recovery import Recovery
from shipper.checkpoint.tracker import Tracker
from shipper.entry import Entry, Fingerprint, Span

LINES = 50_000


def entry(number: int, file_id: int = 1) -> Entry:
    return Entry(Span(file_id, number * 10, number * 10 + 10), (), 1000 + number, b"{}", ())


def new_tracker() -> Tracker:
    tracker = Tracker(lambda tail: Fingerprint(64, tail.decode()))
    tracker.open(1)
    return tracker


def test_lines_behind_one_that_waits_are_remembered_in_a_log_of_few_bytes(tmp_path: Path) -> None:
    tracker = new_tracker()
    log = InflightLog(tmp_path)
    recovery = Recovery(log, tracker)
    for number in range(LINES):
        tracker.begin(entry(number).span, 1, 1000, b"")
        if number:
            tracker.settle(entry(number).span)
    recovery.restart_log(262_144)
    log.close()
    assert (tmp_path / "inflight.jsonl").stat().st_size < 20_000

    following = Recovery(InflightLog(tmp_path), new_tracker())
    assert not following.is_over
    assert not following.is_stored(entry(0))
    assert all(following.is_stored(entry(number)) for number in (1, LINES // 2, LINES - 1))
    assert not following.is_stored(entry(LINES))
    assert not following.is_stored(entry(5, file_id=2))


def test_the_log_forgets_them_once_the_line_is_settled(tmp_path: Path) -> None:
    log = InflightLog(tmp_path)
    (tmp_path / "inflight.jsonl").write_text('{"islands": [[1, 10, 1000]]}\n')
    tracker = new_tracker()
    recovery = Recovery(log, tracker)
    assert recovery.is_stored(entry(7))
    tracker.begin(Span(1, 0, 1000), 1, 1000, b"")
    tracker.settle(Span(1, 0, 1000))

    recovery.restart_log(262_144)

    assert recovery.is_over
    assert b"[1,10" not in (tmp_path / "inflight.jsonl").read_bytes()
