import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from shipper.telemetry.page import format as phrase


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (10 * 1024 + 600, "11 KiB"),
        (1024**2 - 1, "1 MiB"),
        (84 * 1024**2, "84 MiB"),
        (3 * 1024**5, "3,072 TiB"),
        (-1, "0 B"),
    ],
)
def test_a_size_has_as_few_digits_as_say_something(count: float, text: str) -> None:
    assert phrase.size(count) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (0.04, "0"), (2.46, "2.5"), (12.4, "12"), (1e6, "1,000,000")]
)
def test_a_number_has_its_thousands_apart(count: float, text: str) -> None:
    assert phrase.number(count) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-28T06:22:31.5+01:00", "2026-11-28 05:22:31"),
        ("soon", "soon"),
        ("9999-12-31T23:59:59-23:59", None),
    ],
)
def test_a_moment_is_shown_to_the_second_in_utc(text: str, shown: str | None) -> None:
    assert phrase.moment(text) == (shown or text)


def test_the_units_of_a_quantity_are_smaller() -> None:
    assert phrase.quantity("4 min 10 s") == "4 <small>min</small> 10 <small>s</small>"
    assert phrase.quantity("<b>") == "<small>&lt;b&gt;</small>"


def test_long_text_keeps_its_beginning_and_its_end() -> None:
    assert phrase.short("a" * 50 + "z" * 50, 23) == "a" * 10 + "…" + "z" * 10


@given(st.text(st.characters() | st.sampled_from("<>&\"'")), st.integers(10, 40))
def test_short_text_fits_as_html(text: str, most: int) -> None:
    shown = phrase.short(text, most)

    assert len(str(escape(shown)).encode()) <= most
    assert shown.isprintable()
