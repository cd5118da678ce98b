"""When a line happened, in nanoseconds since 1970: a pure function of the line and its place."""

import re
from datetime import UTC, datetime
from functools import lru_cache

# RFC 3339 with any number of digits of a second, as Go writes nanoseconds.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_SESSION = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{8}", re.ASCII)
# As the proxy writes it, in UTC with nine digits behind the point of the second.
_USUAL, _POINT = len("2026-01-01T00:00:00.000000000Z"), len("2026-01-01T00:00:00.")
_LEAP_SECOND = 60
_NANOSECONDS = 1_000_000_000
# A clock may be set wrong by a time zone; more than this ahead of now is no time at all.
FAR_AHEAD_NS = 3600 * _NANOSECONDS


def parse_time(text: str) -> int | None:
    """Return the time of an RFC 3339 text, digits past nanoseconds cut; None where it is none.

    A leap second is the first of the next minute, as 1970's count knows none.
    """
    if len(text) == _USUAL and text[-1] == "Z":
        digits, begun = text[_POINT:-1], _second(text[:_POINT])
        if begun is not None and digits.isascii() and digits.isdigit():
            return begun + int(digits)
    return _parse_any(text)


# The lines of a turn are of few seconds.
@lru_cache(maxsize=1024)
def _second(text: str) -> int | None:
    """Return the time of a second with its point, as most texts begin; None where it is none."""
    return _parse_any(f"{text[:-1]}Z") if text[-1] == "." else None


def _parse_any(text: str) -> int | None:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    day, minute, second, fraction, zone = match.groups()
    begun = _minute(day, minute, zone)
    if begun is None or int(second) > _LEAP_SECOND:
        return None
    nanoseconds = int((fraction or "").ljust(9, "0")[:9])
    return (begun + int(second)) * _NANOSECONDS + nanoseconds


# The lines of a window are of few minutes.
@lru_cache(maxsize=256)
def _minute(day: str, minute: str, zone: str) -> int | None:
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}{'+00:00' if zone in 'Zz' else zone}")
    except ValueError:
        return None
    return int(moment.timestamp())


def session_time(name: str) -> int | None:
    """Return the time in a session's name, ``YYYYMMDD-HHMMSS-<8 hex>`` in UTC."""
    match = _SESSION.search(name)
    if match is None:
        return None
    try:
        moment = datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * _NANOSECONDS


def time_of(told: str, *, previous: int, name: str, first_seen: int, now: int) -> int:
    """Return a line's time: the one it tells, else ``previous`` + 1, else its session's, else ``first_seen``.

    ``previous`` is the time of the line before it in its file, and ``first_seen`` when its file was found to
    tell no time, each 0 for none; ``name`` is the file's.
    """
    latest = now + FAR_AHEAD_NS
    moment = parse_time(told)
    if moment is not None and 0 < moment <= latest:
        return moment
    if previous:
        return previous + 1
    begun = session_time(name)
    return begun if begun is not None and 0 < begun <= latest else first_seen
