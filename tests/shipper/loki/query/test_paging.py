from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.loki.query.paging import walk
from shipper.loki.query.query import Ask, AskAgainError, CannotAskError, Query, Row, TooMuchError


def rows_at(*times: int) -> list[Row]:
    return [Row(time, f"line {number}", {"n": str(number)}) for number, time in enumerate(times)]


def loki_with(rows: Sequence[Row], *, most: int = 5000, asked: list[Query] | None = None) -> Ask:
    """Return a Loki that answers from these rows, and says that more than ``most`` are too much."""

    def ask(question: Query) -> list[Row]:
        if asked is not None:
            asked.append(question)
        found = [row for row in rows if question.start <= row.timestamp < question.end][: question.limit]
        if len(found) > most:
            raise TooMuchError("ResourceExhausted")
        return found

    return ask


@given(
    st.lists(st.integers(0, 12), max_size=40).map(sorted),
    st.integers(41, 50),
    st.integers(0, 12),
    st.integers(0, 14),
)
def test_every_row_of_the_range_comes_once_and_in_order(
    times: list[int], limit: int, start: int, end: int
) -> None:
    rows = rows_at(*times)

    walked = list(walk(loki_with(rows), "q", start, end, limit=limit))

    assert walked == [row for row in rows if start <= row.timestamp < end]


@given(st.lists(st.integers(0, 10**9), max_size=40, unique=True).map(sorted), st.integers(2, 10))
def test_no_row_is_lost_between_answers(times: list[int], limit: int) -> None:
    rows = rows_at(*times)

    assert list(walk(loki_with(rows), "q", 0, 10**9 + 1, limit=limit)) == rows


def test_rows_of_one_moment_are_not_torn_apart() -> None:
    rows = rows_at(1, 2, 2, 2, 2, 3)

    assert list(walk(loki_with(rows), "q", 0, 10, limit=5)) == rows
    walked = walk(
        lambda question: loki_with(rows)(question)[: 6 if question.start else 3], "q", 0, 9, limit=9
    )
    assert list(walked) == rows


@given(
    st.lists(st.integers(0, 10**9), max_size=40, unique=True).map(sorted),
    st.integers(2, 100),
    st.integers(2, 7),
)
def test_answers_that_are_too_large_are_asked_for_in_smaller_ones(
    times: list[int], limit: int, most: int
) -> None:
    rows = rows_at(*times)

    assert list(walk(loki_with(rows, most=most), "q", 0, 10**9 + 1, limit=limit)) == rows


def test_a_short_answer_is_not_the_last_one() -> None:
    rows = rows_at(1, 2, 3, 4, 5, 6)
    complete = loki_with(rows)

    walked = list(walk(lambda question: complete(question)[:2], "q", 0, 10, limit=100))

    assert walked == rows


def test_a_range_without_rows_is_asked_for_once() -> None:
    asked: list[Query] = []

    assert list(walk(loki_with([], asked=asked), "q", 3, 9, limit=5)) == []
    assert asked == [Query("q", 3, 9, 5)]


def test_no_answer_is_asked_for_after_the_caller_has_enough() -> None:
    asked: list[Query] = []

    next(walk(loki_with(rows_at(1, 2, 3), asked=asked), "q", 0, 10, limit=1))

    assert len(asked) == 1


def test_more_rows_at_one_moment_than_an_answer_holds_are_an_error_and_no_loop() -> None:
    rows = rows_at(*[7] * 101)

    with pytest.raises(CannotAskError, match="more entries at one moment than an answer holds: 100 at 7"):
        list(walk(loki_with(rows), "q", 0, 10, limit=100))


def test_a_loki_that_ignores_the_range_is_an_error_and_no_loop() -> None:
    rows = rows_at(1, 2, 3)

    with pytest.raises(CannotAskError, match="outside of the range"):
        list(walk(lambda _: rows, "q", 0, 10, limit=100))


def test_rows_from_outside_of_the_range_are_left_out() -> None:
    rows = rows_at(1, 5, 99)
    answers = iter([rows, [], []])

    assert list(walk(lambda _: next(answers), "q", 3, 10, limit=100)) == rows[1:2]


def test_a_single_row_that_is_too_large_is_an_error() -> None:
    with pytest.raises(CannotAskError, match="one row is too large"):
        list(walk(loki_with(rows_at(1), most=0), "q", 0, 10, limit=8))


def test_other_errors_are_the_callers() -> None:
    def silent(_: Query) -> list[Row]:
        raise AskAgainError("timeout")

    with pytest.raises(AskAgainError):
        list(walk(silent, "q", 0, 10, limit=8))
