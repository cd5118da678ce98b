"""What identifies a stored entry, in a few bytes: what a query gives instead of its line."""

from typing import NamedTuple

from shipper.entry import Entry
from shipper.loki.query.query import Row

# Bytes of a line's beginning: time, session and request id stand there, or a part's number. Loki's ``trunc``
# (sprig's) cuts amid a character and answers with a replacement for each byte that is left of it.
_BEGINNING = 256
_REPLACEMENT = "\ufffd"
# To be appended to a selector.
TRACE = f' | line_format "{{{{ __line__ | len }}}} {{{{ trunc {_BEGINNING} __line__ }}}}"'


class Trace(NamedTuple):
    """An entry without its content.

    ``size`` is its line's, in bytes, ``beginning`` the characters that the line's first bytes hold whole;
    ``place`` is offset, part and session; it is empty where Loki keeps no structured metadata.
    """

    timestamp: int
    size: int
    beginning: str
    place: tuple[str, ...] = ()

    @property
    def bare(self) -> "Trace":
        """The same as it is without structured metadata."""
        return self._replace(place=())


def trace_of_row(row: Row) -> Trace:
    """Return the trace that a row of a query with ``TRACE`` stands for. Raises ``ValueError``."""
    size, beginning = row.line.split(" ", 1)
    offset = row.fields.get("offset", "")
    place = (offset, row.fields.get("part", "0"), row.fields.get("session", "")) if offset else ()
    return Trace(row.timestamp, int(size), _whole(beginning.encode()), place)


def trace_of_entry(entry: Entry) -> Trace:
    """Return the trace that an entry leaves in Loki."""
    place = (str(entry.span.start), str(entry.part), dict(entry.metadata).get("session", ""))
    return Trace(entry.timestamp, entry.length, _whole(entry.line), place)


def _whole(line: bytes) -> str:
    """Return what the beginning of a line holds whole; a replacement at its end may be Loki's own."""
    return line[:_BEGINNING].decode("utf-8", "ignore").rstrip(_REPLACEMENT)
