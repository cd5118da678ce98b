"""Durations as in Go (``300ms``, ``1m30s``) and sizes in bytes with a unit (``64MiB``), read and written."""

import math
import re
from fractions import Fraction

DURATION_FORM = "a duration such as 300ms, 5s or 1m30s"

_SECOND = 1000  # milliseconds
# Go takes both the micro sign (U+00B5) and the Greek letter mu (U+03BC).
_DURATION_UNITS = {
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

SIZE_FORM = "a size such as 512KiB, 64MiB or 1GiB"

_KIB = 1024
_EXPONENT = 9999  # above it, four digits are written with an exponent
_SIZE_UNITS = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Return seconds, finite and never negative.

    Accepts what Go's ``time.ParseDuration`` does, without a sign, and days (``7d``). Raises ``ValueError``.
    """
    if text == "0":
        return 0.0
    parts = _PART.findall(text)
    seconds = sum(float(number) * _DURATION_UNITS[unit] for number, unit in parts)
    if not parts or "".join(number + unit for number, unit in parts) != text or math.isinf(seconds):
        raise ValueError(f"expected {DURATION_FORM}")
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


def parse_bytesize(text: str) -> int:
    """Return whole bytes. Units are IEC (``MiB`` = 1024²) or SI (``MB`` = 1000²). Raises ``ValueError``."""
    match = _SIZE.fullmatch(text)
    factor = _SIZE_UNITS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"expected {SIZE_FORM}")
    return int(Fraction(match[1]) * factor)


def format_bytesize(size: int) -> str:
    """Return a size for people: an IEC unit, and four digits at most below 10,000 TiB."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(amount) < _KIB:
            return f"{amount:.4g} {unit}"
        amount /= _KIB
    return f"{amount:.4g} TiB" if amount < _EXPONENT else f"{amount:.0f} TiB"
