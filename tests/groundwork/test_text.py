import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.text import ago, middle, span


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (7260, "2 h 1 min"),
        (86400 + 4 * 3600 + 59, "1 d 4 h"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert span(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "now"), (7, "7 s ago"), (190, "3 min ago"), (7300, "2 h ago"), (9e5, "10 d ago")],
)
def test_how_long_ago_is_told_in_one_unit(seconds: float, told: str) -> None:
    assert ago(seconds) == told


@given(st.text(), st.integers(min_value=1, max_value=40))
def test_a_long_name_loses_its_middle_and_fits(text: str, cells: int) -> None:
    short = middle(text, cells)

    assert len(short) <= max(cells, 1)
    assert short == text or short[0] in {text[0], "…"}
