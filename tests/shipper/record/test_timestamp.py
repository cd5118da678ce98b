from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.timestamp import FAR_AHEAD_NS, parse_time, session_time, time_of

SECOND = 1_000_000_000
NOON = 1_795_435_200 * SECOND
NAME = "logs/api.anthropic.com/2026-11-23/20261123-115500-a1b2c3d4.jsonl"
NAMED = NOON - 300 * SECOND


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("2026-11-23T12:00:00Z", NOON),
        ("2026-11-23T12:00:00.123456789Z", NOON + 123_456_789),
        ("2026-11-23T12:00:00.1Z", NOON + 100_000_000),
        ("2026-11-23T12:00:00.1234567899Z", NOON + 123_456_789),
        ("2026-11-23T12:00:00.000000001+00:00", NOON + 1),
        ("2026-11-23T13:30:00+01:30", NOON),
        ("2026-11-23T04:00:00-08:00", NOON),
        ("2026-11-23T12:00:00-00:00", NOON),
        ("2026-11-23t12:00:00z", NOON),
        ("2026-11-23 12:00:00Z", NOON),
        ("1970-01-01T00:00:00Z", 0),
        ("2024-02-29T00:00:00Z", 1_709_164_800 * SECOND),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * SECOND),
        ("2016-12-31T23:59:60.5Z", 1_483_228_800 * SECOND + SECOND // 2),
        ("9999-12-31T23:59:59Z", 253_402_300_799 * SECOND),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, nanoseconds: int) -> None:
    assert parse_time(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-11-23",
        "2026-11-23T12:00:00",
        "2026-11-23T12:00Z",
        "2026-11-23T12:00:00.Z",
        "2026-02-29T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-11-23T25:00:00Z",
        "2026-11-23T12:60:00Z",
        "2026-11-23T12:00:61Z",
        "2026-11-23T12:00:00+25:00",
        "2026-11-23T12:00:00 Z",
        "1795435200",
        "2026-11-23T12:00:0\N{ARABIC-INDIC DIGIT FIVE}Z",
        "2026-11-23T12:00:00Z\n",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)),  # noqa: DTZ001 - the zone comes with the next
    st.integers(-23 * 60, 23 * 60),
    st.integers(0, 999),
)
def test_any_time_in_any_zone_is_read(moment: datetime, minutes: int, nanoseconds: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    text = aware.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0")
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"

    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    expected = (since // timedelta(microseconds=1)) * 1000 + nanoseconds
    assert parse_time(f"{text}{nanoseconds:03}{zone}") == expected


@given(st.text() | st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d\Z"))
def test_no_text_is_an_error(text: str) -> None:
    parse_time(text)
    session_time(text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (NAME, NAMED),
        ("20261123-115500-a1b2c3d4", NAMED),
        ("20261123-115500-a1b2c3d4.jsonl.1", NAMED),
        ("20261123-115500", None),
        ("20261323-115500-a1b2c3d4", None),
        ("20261123-115500-A1B2C3D4", None),
        ("session", None),
    ],
)
def test_a_sessions_name_tells_when_it_began(name: str, expected: int | None) -> None:
    assert session_time(name) == expected


@pytest.mark.parametrize(
    ("told", "previous", "name", "first_seen", "expected"),
    [
        ("2026-11-23T12:00:00Z", 5, NAME, 7, NOON),
        ("2026-11-23T12:59:59Z", 5, NAME, 7, NOON + 3599 * SECOND),
        ("2026-11-23T13:00:00Z", 5, NAME, 7, NOON + FAR_AHEAD_NS),
        ("2026-11-23T13:00:00.000000001Z", 5, NAME, 7, 6),
        ("2126-11-23T12:00:00Z", 0, NAME, 7, NAMED),
        ("1969-12-31T23:59:59Z", 5, NAME, 7, 6),
        ("1970-01-01T00:00:00Z", 5, NAME, 7, 6),
        ("2001-01-01T00:00:00Z", 5, NAME, 7, 978_307_200 * SECOND),
        ("", 5, NAME, 7, 6),
        ("", 0, NAME, 7, NAMED),
        ("", 0, "20261123-130000-a1b2c3d4", 7, NOON + FAR_AHEAD_NS),
        ("", 0, "20261123-130001-a1b2c3d4", 7, 7),
        ("", 0, "plain.jsonl", 7, 7),
        ("nonsense", 0, "plain.jsonl", 7, 7),
        ("", 0, "plain.jsonl", 0, 0),
    ],
)
def test_a_line_has_the_first_usable_time(
    told: str, previous: int, name: str, first_seen: int, expected: int
) -> None:
    assert time_of(told, previous=previous, name=name, first_seen=first_seen, now=NOON) == expected
