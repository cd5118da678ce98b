"""Sizes in bytes, written with a unit: ``64MiB``, ``1GiB``, ``512KB``."""

import re
from fractions import Fraction

FORM = "a size such as 512KiB, 64MiB or 1GiB"

_KIB = 1024
_EXPONENT = 9999  # above it, four digits are written with an exponent
_UNITS = {
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


def parse_bytesize(text: str) -> int:
    """Return whole bytes. Units are IEC (``MiB`` = 1024²) or SI (``MB`` = 1000²). Raises ``ValueError``."""
    match = _SIZE.fullmatch(text)
    factor = _UNITS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"expected {FORM}")
    return int(Fraction(match[1]) * factor)


def format_bytesize(size: int) -> str:
    """Return a size for people: an IEC unit, and four digits at most below 10,000 TiB."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(amount) < _KIB:
            return f"{amount:.4g} {unit}"
        amount /= _KIB
    return f"{amount:.4g} TiB" if amount < _EXPONENT else f"{amount:.0f} TiB"
