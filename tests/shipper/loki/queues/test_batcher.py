from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from shipper.entry import Entry, Pairs
from shipper.loki.queues.batcher import Batcher
from tests.shipper.entries import entry

OTHER: Pairs = (("app", "llm-proxy"), ("log_type", "response"))


def test_a_batch_is_complete_at_its_number_of_entries() -> None:
    batcher = Batcher(3, wait=5.0)

    batches = [batch for number in range(7) for batch in batcher.add([entry(number)], now=0.0)]

    assert [len(batch) for batch in batches] == [3, 3]
    assert [len(batch) for batch in batcher.flush()] == [1]


def test_a_batch_is_complete_before_it_would_pass_its_bytes() -> None:
    batcher = Batcher(1000, wait=5.0, most_bytes=100)

    assert list(batcher.add([entry(0, size=60)], now=0.0)) == []
    assert [len(batch) for batch in batcher.add([entry(1, size=60)], now=0.0)] == [1]


def test_an_entry_above_the_bytes_is_a_batch_of_its_own() -> None:
    batcher = Batcher(1000, wait=5.0, most_bytes=100)

    assert [len(batch) for batch in batcher.add([entry(0, size=500)], now=0.0)] == [1]


def test_a_batch_is_due_when_its_first_entry_has_waited() -> None:
    batcher = Batcher(1000, wait=5.0)
    list(batcher.add([entry(0)], now=10.0))
    list(batcher.add([entry(1)], now=14.0))

    assert batcher.next_due() == 15.0
    assert list(batcher.due(14.9)) == []
    assert [len(batch) for batch in batcher.due(15.0)] == [2]
    assert batcher.next_due() is None


def test_a_batch_is_due_when_one_of_its_entries_has_waited_in_its_file() -> None:
    batcher = Batcher(1000, wait=5.0)
    list(batcher.add([entry(7)], now=10.0))
    list(batcher.add([entry(3)], now=10.0))

    assert list(batcher.due(10.0, recorded_by=entry(3).timestamp - 1)) == []
    assert [len(batch) for batch in batcher.due(10.0, recorded_by=entry(3).timestamp)] == [2]


def test_a_batch_is_not_due_by_an_entry_of_the_one_before_it() -> None:
    batcher = Batcher(2, wait=5.0)
    for number in (3, 4, 9):
        list(batcher.add([entry(number)], now=10.0))

    assert list(batcher.due(10.0, recorded_by=entry(5).timestamp)) == []
    assert [len(batch) for batch in batcher.due(10.0, recorded_by=entry(9).timestamp)] == [1]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 300)), max_size=60),
    st.integers(1, 9),
    st.integers(1, 900),
)
def test_every_entry_leaves_once_in_order_and_in_a_batch_of_its_stream(
    sizes: list[tuple[bool, int]], most_entries: int, most_bytes: int
) -> None:
    batcher = Batcher(most_entries, wait=5.0, most_bytes=most_bytes)
    taken = [
        entry(number, size=size, stream=OTHER if other else entry(0).stream)
        for number, (other, size) in enumerate(sizes)
    ]
    runs = [list(run) for _, run in groupby(taken, key=lambda each: each.stream)]
    batches = [batch for run in runs for batch in batcher.add(run, now=0.0)] + list(batcher.flush())

    assert all(len({each.stream for each in batch}) == 1 for batch in batches)
    assert all(len(batch) <= most_entries for batch in batches)
    assert all(len(batch) == 1 or sum(each.size for each in batch) <= most_bytes for batch in batches)
    for stream in {each.stream for each in taken}:
        assert _of(stream, [each for batch in batches for each in batch]) == _of(stream, taken)


STREAMS: list[Pairs] = [(("app", "llm-proxy"), ("machine", name)) for name in "abc"]
ADD = st.tuples(st.sampled_from(STREAMS), st.integers(0, 40))
DUE = st.tuples(st.none(), st.integers(-1, 40))


@given(st.lists(st.tuples(st.integers(0, 3), ADD | DUE), max_size=80))
def test_just_those_are_due_that_have_waited_here_or_in_their_file(
    steps: list[tuple[int, tuple[Pairs | None, int]]],
) -> None:
    batcher, now = Batcher(2, wait=5.0), 0.0
    opened: dict[Pairs, float] = {}
    oldest: dict[Pairs, int] = {}
    for later, (stream, number) in steps:
        now += later
        if stream is None:
            recorded_by = entry(number).timestamp
            due = {each for each in opened if now - opened[each] >= 5.0 or oldest[each] <= recorded_by}
            left = [batch[0].stream for batch in batcher.due(now, recorded_by)]
            assert sorted(left) == sorted(due)
        else:
            added = entry(number, stream=stream)
            opened.setdefault(stream, now)
            oldest[stream] = min(oldest.get(stream, added.timestamp), added.timestamp)
            left = [batch[0].stream for batch in batcher.add([added], now)]
        for each in left:
            del opened[each], oldest[each]
        assert batcher.next_due() == (min(opened.values()) + 5.0 if opened else None)


def _of(stream: Pairs, entries: list[Entry]) -> list[Entry]:
    return [each for each in entries if each.stream == stream]
