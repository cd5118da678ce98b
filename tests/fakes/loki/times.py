"""Moments in nanoseconds, and how Loki reads and writes them."""

import re
from datetime import UTC, datetime, timedelta

NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
# An integer of up to this many digits is in seconds, a longer one in nanoseconds (loghttp/params.go).
_SECONDS_DIGITS = 10


def rfc3339(ts: int) -> str:
    """Return a time to the second, as Go's ``time.RFC3339``."""
    return f"{_seconds(ts):%Y-%m-%dT%H:%M:%S}Z"


def go_time(ts: int) -> str:
    """Return a time as Go's ``Time.String``: nanoseconds without closing zeros."""
    fraction = f".{ts % NANOS:09d}".rstrip("0").rstrip(".")
    return f"{_seconds(ts):%Y-%m-%d %H:%M:%S}{fraction} +0000 UTC"


def parse_time(text: str) -> int:
    """Read RFC 3339, whole seconds, whole nanoseconds, or seconds with a point. Raises ``ValueError``."""
    if re.fullmatch(r"\d+", text):
        return int(text) * (NANOS if len(text) <= _SECONDS_DIGITS else 1)
    if re.fullmatch(r"\d+\.\d+", text):
        return int(float(text) * NANOS)
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise ValueError(f"could not parse '{text}' as a time")
    whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    return (whole - _EPOCH) // timedelta(seconds=1) * NANOS + int((found[2] or "0").ljust(9, "0"))


def _seconds(ts: int) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=ts // NANOS)
    except OverflowError:
        return _EPOCH
