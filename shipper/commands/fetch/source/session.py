"""The lines of one session, back out of Loki in the order of their file.

First it is asked what there is, without the lines; so each further question can be for no more than Loki
can answer at once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import NamedTuple

from shipper.commands.fetch.source.join import BrokenLineError, join
from shipper.loki.logql import quoted
from shipper.loki.query.paging import walk
from shipper.loki.query.query import Ask, CannotAskError, Row

_NANOSECONDS = 1_000_000_000
_DAY_NS = 24 * 3600 * _NANOSECONDS
# Entries may be stamped as far ahead as Loki takes them (``creation_grace_period``), and clocks differ.
_AHEAD_NS = 3600 * _NANOSECONDS
# A session may be taken up again days later; after a week without a line it is taken to have ended.
_QUIET_DAYS = 7
# Loki's parts tell each other 4 MiB at most, written as JSON, which can double a line.
_PAGE_BYTES = 1 << 20
# What a row takes beside its line.
_ROW_BYTES = 1024
_PAGE_ROWS = 1000


class Piece(NamedTuple):
    """An entry that Loki has, without its line: where it belongs, and ``size`` in bytes."""

    offset: int
    part: int
    timestamp: int
    size: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A line at an offset of the file; None where it is not whole, or bytes before it are not there.

    ``trouble`` says why.
    """

    offset: int
    line: bytes | None
    trouble: str = ""


def pieces_of(ask: Ask, session: str, start: int, now: int) -> list[Piece]:
    """Return all that Loki has of a session from ``start`` on, times in nanoseconds since 1970.

    It is searched day by day, and once found until a week has nothing more of it.
    """
    query = f"{_selector(session)} | line_format `{{{{ __line__ | len }}}}`"
    found: list[Piece] = []
    quiet = 0
    for day in range(start, now + _AHEAD_NS, _DAY_NS):
        rows = list(walk(ask, query, day, min(day + _DAY_NS, now + _AHEAD_NS), limit=_PAGE_ROWS))
        found += map(_piece, rows)
        quiet = 0 if rows else quiet + 1
        if found and quiet >= _QUIET_DAYS:
            break
    return found


def lines_of(ask: Ask, session: str, pieces: list[Piece]) -> Iterator[Fetched]:
    """Yield the lines that pieces belong to, in the order of the file, and what is not whole."""
    expected = 0
    for offset, rows in _by_offset(ask, session, pieces):
        if offset > expected + 1:
            yield Fetched(offset, None, f"bytes {expected} to {offset} are not in Loki")
        try:
            line = join(rows)
        except BrokenLineError as exc:
            yield Fetched(offset, None, f"the line at offset {offset} is not whole: {exc}")
            expected = _end_after(pieces, offset)
            continue
        if offset < expected:
            yield Fetched(offset, None, f"the line at offset {offset} begins before the one before it ends")
        yield Fetched(offset, line)
        expected = offset + len(line) + 1


def _end_after(pieces: Iterable[Piece], offset: int) -> int:
    """Return where the next line begins: of a line that is not whole, the length is not known."""
    return min((each.offset for each in pieces if each.offset > offset), default=offset)


def _selector(session: str) -> str:
    return f'{{app="llm-proxy"}} | session={quoted(session)}'


def _piece(row: Row) -> Piece:
    try:
        return Piece(int(row.fields["offset"]), int(row.fields.get("part", 0)), row.timestamp, int(row.line))
    except (KeyError, ValueError) as exc:
        raise CannotAskError(f"an entry at {row.timestamp} has no place in its file") from exc


def _by_offset(ask: Ask, session: str, pieces: list[Piece]) -> Iterator[tuple[int, list[Row]]]:
    """Yield the rows of each offset together; holds no more than a page and one line."""
    rows = (row for page in _pages(pieces) for row in _page_rows(ask, session, page))
    for offset, group in groupby(rows, key=lambda placed: placed[0].offset):
        yield offset, [row for _, row in group]


def _page_rows(ask: Ask, session: str, page: list[Piece]) -> list[tuple[Piece, Row]]:
    wanted = frozenset(page)
    start, end = min(each.timestamp for each in page), max(each.timestamp for each in page) + 1
    placed = (
        (_piece_with_line(row), row) for row in walk(ask, _selector(session), start, end, limit=_PAGE_ROWS)
    )
    return sorted((each for each in placed if each[0] in wanted), key=lambda each: each[0])


def _piece_with_line(row: Row) -> Piece:
    return _piece(Row(row.timestamp, str(len(row.line.encode())), row.fields))


def _pages(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in file order, in groups between whose times there is no more than a page's bytes."""
    weigh = _Scale(pieces)
    page: list[Piece] = []
    first = last = 0
    for piece in sorted(set(pieces)):
        grown = (min(first, piece.timestamp), max(last, piece.timestamp)) if page else (piece.timestamp,) * 2
        if page and (len(page) == _PAGE_ROWS or weigh.between(*grown) > _PAGE_BYTES):
            yield page
            page, grown = [], (piece.timestamp, piece.timestamp)
        page.append(piece)
        first, last = grown
    if page:
        yield page


class _Scale:
    """How many bytes Loki would answer for a span of time."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        ordered = sorted(pieces, key=lambda each: each.timestamp)
        self._times = [each.timestamp for each in ordered]
        self._sums = list(accumulate((each.size + _ROW_BYTES for each in ordered), initial=0))

    def between(self, first: int, last: int) -> int:
        return self._sums[bisect_right(self._times, last)] - self._sums[bisect_left(self._times, first)]
