"""Spans of time, long names, addresses and texts of others as they are shown to people."""

from unicodedata import category
from urllib.parse import urlsplit

# Of characters that a terminal obeys or that reorder what is beside them: C0 and C1 controls, formats (bidi),
# surrogates, line and paragraph separators.
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# It joins emoji, and steers nothing.
_JOINER = "\u200d"
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


def printable(text: str) -> str:
    """Return a text with all that could steer a terminal escaped, but for line ends; also for JSON texts.

    A JSON text stays one, with the same values: outside of its strings nothing is escaped.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(each) if _steers(each) else each for each in text)


def _steers(character: str) -> bool:
    return character not in {"\n", _JOINER} and category(character) in _STEERING


def _escaped(character: str) -> str:
    """Return the escapes of JSON (RFC 8259 7), which a person can read too."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
