import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundwork.settings.units import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("0s", 0.0),
        ("300ms", 0.3),
        ("5s", 5.0),
        ("1m30s", 90.0),
        ("1.5h", 5400.0),
        (".5s", 0.5),
        ("1.s", 1.0),
        ("2h45m0.5s", 9900.5),
        ("7d", 604800.0),
        ("15us", 15e-6),
        ("15\u00b5s", 15e-6),
        ("15\u03bcs", 15e-6),
        ("9ns", 9e-9),
    ],
)
def test_reads_what_go_reads_and_days(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "s",
        ".s",
        "5 s",
        " 5s",
        "5s ",
        "-5s",
        "+5s",
        "5S",
        "1e3s",
        "5x",
        "five",
        "\u0665s",
        "9" * 400 + "s",
    ],
)
def test_refuses_all_else_with_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 300ms, 5s or 1m30s"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0s"),
        (0.0004, "0s"),
        (0.3, "300ms"),
        (0.9996, "1s"),
        (1.5, "1.5s"),
        (59.9996, "1m"),
        (90.0, "1m30s"),
        (3600.0, "1h"),
        (86400.0, "24h"),
        (3605.25, "1h5.25s"),
    ],
)
def test_formats_as_a_person_would_write(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(min_value=0, max_value=10**12))
def test_what_is_formatted_reads_back_to_the_millisecond(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds
