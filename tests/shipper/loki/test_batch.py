from hypothesis import given
from hypothesis import strategies as st

from shipper.entry import Entry, Pairs
from shipper.loki.batch import Batcher
from tests.shipper.entries import entry

OTHER: Pairs = (("app", "llm-proxy"), ("log_type", "response"))


def test_a_batch_is_complete_at_its_number_of_entries() -> None:
    batcher = Batcher(3, wait=5.0)

    batches = [batch for number in range(7) for batch in batcher.add(entry(number), now=0.0)]

    assert [len(batch) for batch in batches] == [3, 3]
    assert [len(batch) for batch in batcher.flush()] == [1]


def test_a_batch_is_complete_before_it_would_pass_its_bytes() -> None:
    batcher = Batcher(1000, wait=5.0, most_bytes=100)

    assert list(batcher.add(entry(0, size=60), now=0.0)) == []
    assert [len(batch) for batch in batcher.add(entry(1, size=60), now=0.0)] == [1]


def test_an_entry_above_the_bytes_is_a_batch_of_its_own() -> None:
    batcher = Batcher(1000, wait=5.0, most_bytes=100)

    assert [len(batch) for batch in batcher.add(entry(0, size=500), now=0.0)] == [1]


def test_a_batch_is_due_when_its_first_entry_has_waited() -> None:
    batcher = Batcher(1000, wait=5.0)
    list(batcher.add(entry(0), now=10.0))
    list(batcher.add(entry(1), now=14.0))

    assert batcher.next_due() == 15.0
    assert list(batcher.due(14.9)) == []
    assert [len(batch) for batch in batcher.due(15.0)] == [2]
    assert batcher.next_due() is None


def test_a_batch_is_due_when_one_of_its_entries_has_waited_in_its_file() -> None:
    batcher = Batcher(1000, wait=5.0)
    list(batcher.add(entry(7), now=10.0))
    list(batcher.add(entry(3), now=10.0))

    assert list(batcher.due(10.0, recorded_by=entry(3).timestamp - 1)) == []
    assert [len(batch) for batch in batcher.due(10.0, recorded_by=entry(3).timestamp)] == [2]


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
    batches = [batch for each in taken for batch in batcher.add(each, now=0.0)] + list(batcher.flush())

    assert all(len({each.stream for each in batch}) == 1 for batch in batches)
    assert all(len(batch) <= most_entries for batch in batches)
    assert all(len(batch) == 1 or sum(each.size for each in batch) <= most_bytes for batch in batches)
    for stream in {each.stream for each in taken}:
        assert _of(stream, [each for batch in batches for each in batch]) == _of(stream, taken)


def _of(stream: Pairs, entries: list[Entry]) -> list[Entry]:
    return [each for each in entries if each.stream == stream]
