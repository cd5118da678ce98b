"""Durations written as in Go: ``300ms``, ``5s``, ``1m30s``."""

import math
import re

FORM = "a duration such as 300ms, 5s or 1m30s"

_SECOND = 1000  # milliseconds
# Go takes both the micro sign (U+00B5) and the Greek letter mu (U+03BC).
_UNITS = {
    "ns": 1e-9,
    "us": 1e-6,
    "\u00b5s": 1e-6,
    "\u03bcs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d)")


def parse_duration(text: str) -> float:
    """Return seconds, finite and never negative.

    Accepts what Go's ``time.ParseDuration`` does, without a sign, and days (``7d``). Raises ``ValueError``.
    """
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != text or math.isinf(seconds):
        raise ValueError(f"expected {FORM}")
    return seconds


def format_duration(seconds: float) -> str:
    """Return a short text that ``parse_duration`` reads back, to the millisecond."""
    milliseconds = round(seconds * _SECOND)
    if 0 < milliseconds < _SECOND:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h"] * (hours > 0) + [f"{minutes}m"] * (minutes > 0)
    if rest or not parts:
        parts.append(f"{rest / _SECOND:g}s")
    return "".join(parts)
