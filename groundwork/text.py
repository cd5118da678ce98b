"""Spans of time, long names and addresses as they are shown to people."""

from urllib.parse import urlsplit

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_UNITS = ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))


def span(seconds: float) -> str:
    """Return a span in its two largest units: ``3 s``, ``2 min 5 s``, ``1 d 4 h``."""
    left = round(seconds)
    for place, (length, unit) in enumerate(_UNITS[:-1]):
        if left >= length:
            count, rest = divmod(left, length)
            smaller, name = _UNITS[place + 1]
            return f"{count} {unit} {rest // smaller} {name}" if rest // smaller else f"{count} {unit}"
    return f"{left} s"


def ago(seconds: float) -> str:
    """Return how long ago something was, in its largest unit."""
    left = round(seconds)
    for length, unit in _UNITS:
        if left >= length:
            return f"{left // length} {unit} ago"
    return "now"


def middle(text: str, cells: int) -> str:
    """Return a text of at most so many characters, its middle left out where it is longer."""
    if len(text) <= cells:
        return text
    tail = (cells - 1) * 2 // 3
    return f"{text[: cells - 1 - tail]}…{text[len(text) - tail :]}"


def without_credentials(url: str) -> str:
    """Return the address without user, password, query and fragment, fit for a log."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
