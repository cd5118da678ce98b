"""All rows of a query, over as many answers as it takes."""

from collections.abc import Iterator

from shipper.reading.question import Ask, CannotAskError, Question, Row, TooMuchError

# Loki's ``max_entries_limit_per_query`` by default.
MOST_ROWS = 5000


def walk(ask: Ask, query: str, start: int, end: int, *, limit: int) -> Iterator[Row]:
    """Yield the rows from ``start`` to before ``end``, oldest first, none twice; ``limit`` rows an answer.

    A short answer is not the last one: a cluster of Lokis cuts it before it has removed the copies. Raises
    what asking raises; an answer that is too large is asked for in smaller ones.
    """
    most = MOST_ROWS
    seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
    while start < end:
        try:
            rows = ask(Question(query, start, end, limit))
        except TooMuchError as exc:
            if limit == 1:
                raise CannotAskError(f"one row is too large: {exc}") from exc
            limit = most = limit // 2
            continue
        fresh = [row for row in rows if row.timestamp > start or _key(row) not in seen]
        yield from fresh
        full = len(rows) >= limit
        if not (full or fresh):
            return
        last = rows[-1].timestamp
        if full and last == start:
            limit = _widened(limit, most, last)
        seen = {_key(row) for row in rows if row.timestamp == last}
        start = last


def _key(row: Row) -> tuple[str, frozenset[tuple[str, str]]]:
    return row.line, frozenset(row.fields.items())


def _widened(limit: int, most: int, moment: int) -> int:
    """Return a larger limit: after an answer of one moment alone, the next would begin where it did."""
    if limit >= most:
        raise CannotAskError(f"more than {most} entries at {moment}")
    return min(most, limit * 2)
