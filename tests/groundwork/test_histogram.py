from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.histogram import Histogram


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        (0.0, [1, 1, 1]),
        (1.0, [1, 1, 1]),
        (1.1, [0, 1, 1]),
        (2.5, [0, 1, 1]),
        (99.0, [0, 0, 1]),
    ],
)
def test_a_value_counts_in_every_bucket_whose_bound_it_does_not_exceed(
    value: float, counts: list[int]
) -> None:
    histogram = Histogram((1, 2.5))

    histogram.observe(value)

    assert list(histogram.buckets()) == list(zip(["1.0", "2.5", "+Inf"], counts, strict=True))


@given(st.lists(st.floats(0, 10)))
def test_the_last_bucket_holds_all_and_the_total_is_their_sum(values: list[float]) -> None:
    histogram = Histogram((1, 5))
    for each in values:
        histogram.observe(each)

    assert dict(histogram.buckets())["+Inf"] == histogram.count == len(values)
    assert histogram.total == pytest.approx(sum(values))


def test_a_copy_goes_its_own_way() -> None:
    histogram = Histogram((1,))
    copy = deepcopy(histogram)

    histogram.observe(0.5)

    assert (histogram.count, copy.count) == (1, 0)
