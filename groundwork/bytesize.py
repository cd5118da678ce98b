"""Sizes in bytes, written with a unit: ``64MiB``, ``1GiB``, ``512KB``."""

import re

_KIB = 1024
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
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)


def parse_bytesize(text: str) -> int:
    """Return whole bytes. Units are IEC (``MiB`` = 1024²) or SI (``MB`` = 1000²). Raises ``ValueError``."""
    match = _SIZE.fullmatch(text.strip())
    factor = _UNITS.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise ValueError("expected a size such as 512KiB, 64MiB or 1GiB")
    return int(float(match[1]) * factor)


def format_bytesize(size: int) -> str:
    """Return a size for people: four digits at most and an IEC unit."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if round(amount) < _KIB:
            return f"{amount:.4g} {unit}"
        amount /= _KIB
    return f"{amount:.4g} TiB"
