from hypothesis import given
from hypothesis import strategies as st

from proxy.recording.capture import HANDED_OVER, Side, Stamps


def test_a_side_asks_to_be_handed_over_before_it_holds_too_much() -> None:
    side = Side()

    assert not side.add(b"x" * (HANDED_OVER - 1), 7)
    assert side.add(b"x", 8)
    assert side.first == 7

    taken = side.take()
    assert (taken.size, taken.times) == (HANDED_OVER, [7, 8])
    assert (side.held, side.size) == (0, HANDED_OVER)


def test_a_body_let_go_is_hashed_and_counted_but_not_held() -> None:
    side = Side()
    side.add(b"one", 1)
    side.omit()
    side.add(b"two", 2)

    assert (side.size, side.held, side.pieces) == (6, 0, [])
    assert side.omitted == "queue_full"


def test_a_body_let_go_is_returned_to_be_hashed_only_where_nothing_went_before() -> None:
    whole, parted = Side(), Side()
    whole.add(b"one", 1)
    parted.add(b"one", 1)
    parted.take()
    parted.add(b"two", 2)

    assert (whole.omit(), parted.omit()) == ([b"one"], [])
    assert whole.sha256 == parted.sha256 == ""


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 4)), max_size=50))
def test_stamps_are_unique_and_rise_whatever_the_clock_does(calls: list[tuple[int, int]]) -> None:
    stamps = Stamps()
    taken = [
        first + offset
        for now, count in calls
        for first in [stamps.take(now, count)]
        for offset in range(count)
    ]

    assert taken == sorted(set(taken))
