"""All rows of a query, over as many answers as it takes."""

from collections.abc import Iterator

from shipper.loki.query.query import Ask, CannotAskError, Query, Row, TooMuchError


def walk(ask: Ask, query: str, start: int, end: int, *, limit: int) -> Iterator[Row]:
    """Yield the rows from ``start`` to before ``end``, oldest first, none twice; ``limit`` rows an answer.

    A short answer is not the last one, and may end amid one moment's rows: a cluster of Lokis cuts it before
    it has removed the copies. Raises what asking raises, but asks for less where an answer is too large, and
    ``CannotAskError`` for rows from outside of the range: to walk on from there might never end.
    """
    most = limit
    while start < end:
        rows, most = _answer(ask, Query(query, start, end, most))
        if not rows:
            return
        yield from rows
        last = rows[-1].timestamp
        yield from _others(ask, Query(query, last, last + 1, limit), rows)
        start = last + 1


def _answer(ask: Ask, query: Query) -> tuple[list[Row], int]:
    """Return an answer, and how many rows Loki could give at once."""
    while True:
        try:
            return _within(query, ask(query)), query.limit
        except TooMuchError as exc:
            if query.limit == 1:
                raise CannotAskError(f"one row is too large: {exc}") from exc
            query = query._replace(limit=query.limit // 2)


def _within(query: Query, rows: list[Row]) -> list[Row]:
    """Return the rows of the query's range. Raises ``CannotAskError`` where all are from outside of it."""
    inside = [row for row in rows if query.start <= row.timestamp < query.end]
    if rows and not inside:
        raise CannotAskError("Loki answers with entries from outside of the range that was asked for")
    return inside


def _others(ask: Ask, moment: Query, rows: list[Row]) -> Iterator[Row]:
    """Yield the rows of one moment that are not among ``rows``."""
    found, most = _answer(ask, moment)
    if len(found) >= most:
        raise CannotAskError(f"more entries at one moment than an answer holds: {most} at {moment.start}")
    known = {_key(row) for row in rows if row.timestamp == moment.start}
    return (row for row in found if _key(row) not in known)


def _key(row: Row) -> tuple[str, frozenset[tuple[str, str]]]:
    return row.line, frozenset(row.fields.items())
