import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.text import ago, middle, printable, span


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


@pytest.mark.parametrize(
    "text", ["\x1b]52;c;eA==\x07", "\x1b[2J", "\x9b31m", "a\u202eb", "\ud800", "\r", "\u2028"]
)
def test_what_steers_a_terminal_is_escaped(text: str) -> None:
    assert printable(text).isascii()
    assert printable(text).isprintable()


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_a_json_text_that_was_made_printable_has_the_same_values(value: object) -> None:
    shown = printable(json.dumps(value, ensure_ascii=False, indent=2))

    assert json.loads(shown) == value
    assert not any("\x7f" <= each <= "\x9f" for each in shown)


def test_words_and_lines_stay_as_they_are() -> None:
    assert printable("grüße\n👩\u200d💻 \xa0") == "grüße\n👩\u200d💻 \xa0"
