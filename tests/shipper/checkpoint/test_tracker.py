from dataclasses import dataclass, field

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shipper.checkpoint.progress import Position, Range
from shipper.checkpoint.tracker import Tracker
from shipper.entry import Fingerprint, Span


def mark(tail: bytes | int) -> Fingerprint:
    """Return the print of a line's tail, which is its end as a text here."""
    return Fingerprint(64, tail.decode() if isinstance(tail, bytes) else str(tail))


def line(number: int, file_id: int = 1) -> Span:
    """Return the span of a file's ``number``-th line; each has ten bytes."""
    return Span(file_id, number * 10, number * 10 + 10)


@pytest.fixture
def tracker() -> Tracker:
    tracker = Tracker(mark)
    tracker.open(1)
    return tracker


def begin(tracker: Tracker, number: int, parts: int = 1, file_id: int = 1) -> int:
    span = line(number, file_id)
    return tracker.begin(span, parts, 1000 + number, str(span.end).encode())


def test_an_offset_moves_over_the_contiguous_finished_prefix_only(tracker: Tracker) -> None:
    for number in range(3):
        begin(tracker, number)

    assert tracker.settle(line(1))
    assert tracker.offset(1) == 0
    assert tracker.settle(line(0))
    assert tracker.position(1) == Position(20, mark(20), 1001)


def test_a_line_of_no_entries_is_settled_with_what_is_before_it(tracker: Tracker) -> None:
    begin(tracker, 0)
    begin(tracker, 1, parts=0)
    assert tracker.offset(1) == 0

    tracker.settle(line(0))

    assert tracker.offset(1) == 20
    assert not tracker.is_busy(1)


def test_a_line_is_whole_when_all_its_parts_are_settled(tracker: Tracker) -> None:
    begin(tracker, 0, parts=3)

    assert not tracker.settle(line(0), 2)
    assert not tracker.settle(line(0), 0)
    assert tracker.position(1).parts_done == 1
    assert tracker.settle(line(0), 1)
    assert tracker.position(1) == Position(10, mark(10), 1000)


def test_parts_that_an_earlier_process_has_settled_are_settled(tracker: Tracker) -> None:
    tracker.open(1, Position(10, mark(10), 7, parts_done=2))

    assert begin(tracker, 1, parts=4) == 2
    assert begin(tracker, 2, parts=4) == 0
    tracker.settle(line(1), 2)
    assert tracker.position(1).parts_done == 3
    tracker.settle(line(1), 3)
    assert tracker.position(1) == Position(20, mark(20), 1001)


def begin_range(tracker: Tracker, first: int, past: int, file_id: int = 1) -> None:
    spans = [line(number, file_id) for number in range(first, past)]
    starts, ends = [each.start for each in spans], [each.end for each in spans]
    times = [1000 + number for number in range(first, past)]
    tracker.begin_range(file_id, Range(starts, ends, times, [str(end).encode() for end in ends]))


def test_of_a_range_an_offset_moves_over_the_finished_prefix_only(tracker: Tracker) -> None:
    begin_range(tracker, 0, 5)

    assert tracker.settle_lines([line(1), line(3)]) == [line(1), line(3)]
    assert (tracker.offset(1), tracker.oldest()) == (0, 1000)
    assert list(tracker.ahead()) == [(line(1), 0, 1), (line(3), 0, 1)]
    tracker.settle(line(0))
    assert tracker.position(1) == Position(20, mark(20), 1001)
    assert (tracker.oldest(), tracker.whole_lines(1)) == (1002, 3)
    assert list(tracker.ahead()) == [(line(3), 0, 1)]
    assert tracker.settle_lines([line(0), line(2), line(4)]) == [line(2), line(4)]
    assert tracker.position(1) == Position(50, mark(50), 1004)
    assert not tracker.is_busy(1)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_line_of_a_range_that_is_cut_again_stands_by_itself(tracker: Tracker, number: int) -> None:
    begin_range(tracker, 0, 3)
    others = [line(each) for each in range(3) if each != number]

    assert tracker.recut(line(number), 2)
    assert not tracker.recut(line(number), 2)
    assert tracker.settle_lines(others) == others
    assert tracker.offset(1) == number * 10
    assert not tracker.settle(line(number), 1)
    assert tracker.settle(line(number), 0)
    assert tracker.position(1) == Position(30, mark(30), 1002)
    assert tracker.take_moved() == {1}


def test_what_settles_of_a_file_that_was_closed_is_ignored(tracker: Tracker) -> None:
    begin(tracker, 0)
    tracker.close(1)

    assert not tracker.settle(line(0))
    assert tracker.is_settled(1, 0)
    assert tracker.oldest() is None
    assert not tracker.take_moved()


def test_what_settles_twice_counts_once(tracker: Tracker) -> None:
    begin(tracker, 0)
    begin(tracker, 1)

    assert tracker.settle(line(0))
    assert not tracker.settle(line(0))
    assert tracker.offset(1) == 10


def test_moved_files_are_told_once(tracker: Tracker) -> None:
    tracker.open(2)
    begin(tracker, 0)
    begin(tracker, 0, file_id=2)
    assert not tracker.has_moved

    tracker.settle(line(0, file_id=2))

    assert tracker.has_moved
    assert tracker.take_moved() == {2}
    assert not tracker.has_moved


@dataclass
class Model:
    """What a tracker has to say of one file, told slowly."""

    lines: list[tuple[int, set[int]]] = field(default_factory=list)

    @property
    def finished(self) -> int:
        for number, (parts, done) in enumerate(self.lines):
            if len(done) < parts:
                return number
        return len(self.lines)

    @property
    def first_parts(self) -> int:
        if self.finished == len(self.lines):
            return 0
        parts, done = self.lines[self.finished]
        return next(part for part in range(parts) if part not in done)


FILES = (1, 2, 3)


class TrackerMachine(RuleBasedStateMachine):
    """Lines are begun in order and settle in any."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = Tracker(mark)
        self.models = {file_id: Model() for file_id in FILES}
        self.reported = dict.fromkeys(FILES, (0, 0))
        for file_id in FILES:
            self.tracker.open(file_id)

    @rule(file_id=st.sampled_from(FILES), parts=st.integers(0, 4))
    def begin(self, file_id: int, parts: int) -> None:
        lines = self.models[file_id].lines
        begin(self.tracker, len(lines), parts, file_id)
        lines.append((parts, set()))

    @rule(file_id=st.sampled_from(FILES), count=st.integers(1, 5))
    def begin_range(self, file_id: int, count: int) -> None:
        lines = self.models[file_id].lines
        begin_range(self.tracker, len(lines), len(lines) + count, file_id)
        lines += [(1, set()) for _ in range(count)]

    def open_parts(self) -> list[tuple[int, int, int]]:
        return [
            (file_id, number, part)
            for file_id, model in self.models.items()
            for number, (parts, done) in enumerate(model.lines)
            for part in range(parts)
            if part not in done
        ]

    @precondition(lambda self: self.open_parts())
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        file_id, number, part = data.draw(st.sampled_from(self.open_parts()))
        parts, done = self.models[file_id].lines[number]
        done.add(part)

        assert self.tracker.settle(line(number, file_id), part) is (len(done) == parts)

    def open_wholes(self) -> list[tuple[int, int]]:
        return [
            (file_id, number)
            for file_id, number, _ in self.open_parts()
            if self.models[file_id].lines[number][0] == 1
        ]

    @precondition(lambda self: self.open_wholes())
    @rule(data=st.data())
    def settle_many(self, data: st.DataObject) -> None:
        wholes = data.draw(st.lists(st.sampled_from(self.open_wholes()), min_size=1, unique=True))
        for file_id, number in wholes:
            self.models[file_id].lines[number][1].add(0)
        spans = [line(number, file_id) for file_id, number in wholes]

        assert self.tracker.settle_lines(spans) == spans

    @precondition(lambda self: self.open_wholes())
    @rule(data=st.data(), parts=st.integers(2, 4))
    def recut(self, data: st.DataObject, parts: int) -> None:
        file_id, number = data.draw(st.sampled_from(self.open_wholes()))
        self.models[file_id].lines[number] = (parts, set())

        assert self.tracker.recut(line(number, file_id), parts)

    @invariant()
    def offsets_stand_behind_the_first_line_that_is_not_settled(self) -> None:
        for file_id, model in self.models.items():
            position = self.tracker.position(file_id)
            assert position.offset == model.finished * 10
            assert position.parts_done == model.first_parts
            assert position.mark == (mark(position.offset) if model.finished else Fingerprint())
            assert position.time == (999 + model.finished if model.finished else 0)
            assert self.tracker.is_busy(file_id) is (model.finished < len(model.lines))

    @invariant()
    def the_oldest_is_the_first_of_a_file_that_is_not_settled(self) -> None:
        firsts = [1000 + each.finished for each in self.models.values() if each.finished < len(each.lines)]
        assert self.tracker.oldest() == min(firsts, default=None)

    @invariant()
    def what_is_ahead_is_settled_past_the_offset(self) -> None:
        assert set(self.tracker.ahead()) == {
            (line(number, file_id), part, parts)
            for file_id, model in self.models.items()
            for number, (parts, done) in enumerate(model.lines)
            for part in done
            if number >= model.finished
        }

    @invariant()
    def every_move_is_told(self) -> None:
        now = {file_id: (each.finished, each.first_parts) for file_id, each in self.models.items()}
        assert self.tracker.take_moved() == {each for each in FILES if now[each] != self.reported[each]}
        self.reported = now


TestTracker = TrackerMachine.TestCase


def test_what_is_settled_behind_a_line_that_waits_takes_no_memory(tracker: Tracker) -> None:
    begin(tracker, 0)
    for first in range(1, 10_001, 10):
        begin_range(tracker, first, first + 9)
        tracker.settle_lines([line(number) for number in range(first, first + 9)])
        begin(tracker, first + 9, parts=2)
        for part in range(2):
            tracker.settle(line(first + 9), part)

    assert len(list(tracker.islands())) == 1
    assert len(list(tracker.ahead())) < 1000
    assert tracker.whole_lines(1) == 9001
    assert not tracker.settle(line(5)), "settled twice"
    tracker.settle(line(0))
    assert tracker.position(1) == Position(100_010, mark(100_010), 11_000)
    assert not tracker.is_busy(1)
