"""Numbers and foreign text as a person reads them."""

from datetime import UTC, datetime

from markupsafe import Markup, escape

_KIB = 1024
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
# Below it, a decimal says something.
_FEW = 10
_ELLIPSIS = "…"


def size(count: float) -> str:
    """Return bytes in an IEC unit, in as few digits as say something: ``1.5 MiB``, ``84 MiB``."""
    amount = max(0.0, count)
    for unit in _UNITS[:-1]:
        if round(amount) < _KIB:
            return f"{_brief(amount)} {unit}"
        amount /= _KIB
    return f"{_brief(amount)} {_UNITS[-1]}"


def number(count: float) -> str:
    """Return a count with its thousands apart: ``10,000``; below ten, one decimal where it says something."""
    return _brief(count)


def clock(seconds: float) -> str:
    """Return the time of day in UTC of seconds since 1970: ``14:05``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M")


def second(seconds: float) -> str:
    """Return the time of day in UTC of seconds since 1970, to the second: ``14:05:06``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")


def quantity(text: str) -> str:
    """Return a quantity as HTML, its units smaller than its numbers: ``4 <small>min</small> 10 ...``."""
    words = (
        escape(each) if each[:1].isdigit() else Markup("<small>{}</small>").format(each)
        for each in text.split()
    )
    return Markup(" ").join(words)


def moment(text: str) -> str:
    """Return an RFC 3339 time to the second, in UTC: ``2026-11-28 14:05:06``; other text as it is."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError):
        return text


def plain(text: str) -> str:
    """Return text without what cannot be seen or turns the text around; each such character becomes ``�``."""
    return "".join(each if each.isprintable() else "�" for each in text)


def short(text: str, most: int) -> str:
    """Return plain text that takes at most ``most`` bytes as HTML, its middle left out where it is longer."""
    seen = plain(text if len(text) <= 2 * most else text[:most] + text[-most:])
    if _weight(seen) <= most:
        return seen
    room = (most - len(_ELLIPSIS.encode())) // 2
    return _beginning(seen, room) + _ELLIPSIS + _beginning(seen[::-1], room)[::-1]


def _brief(amount: float) -> str:
    return f"{amount:.1f}" if amount < _FEW and round(amount, 1) % 1 else f"{amount:,.0f}"


def _beginning(text: str, room: int) -> str:
    taken = 0
    for index, each in enumerate(text):
        taken += _weight(each)
        if taken > room:
            return text[:index]
    return text


def _weight(text: str) -> int:
    return len(str(escape(text)).encode())
