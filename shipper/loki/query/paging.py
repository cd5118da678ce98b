"""All rows of a query, over as many answers as it takes."""

from collections.abc import Iterator

from shipper.loki.query.query import Ask, CannotAskError, Question, Row, TooMuchError


def walk(ask: Ask, query: str, start: int, end: int, *, limit: int) -> Iterator[Row]:
    """Yield the rows from ``start`` to before ``end``, oldest first, none twice; ``limit`` rows an answer.

    A short answer is not the last one, and may end amid one moment's rows: a cluster of Lokis cuts it before
    it has removed the copies. Raises what asking raises, but asks for less where an answer is too large.
    """
    most = limit
    while start < end:
        rows, most = _answer(ask, Question(query, start, end, most))
        if not rows:
            return
        yield from rows
        last = rows[-1].timestamp
        yield from _others(ask, Question(query, last, last + 1, limit), rows)
        start = last + 1


def _answer(ask: Ask, question: Question) -> tuple[list[Row], int]:
    """Return an answer, and how many rows Loki could give at once."""
    while True:
        try:
            return ask(question), question.limit
        except TooMuchError as exc:
            if question.limit == 1:
                raise CannotAskError(f"one row is too large: {exc}") from exc
            question = question._replace(limit=question.limit // 2)


def _others(ask: Ask, moment: Question, rows: list[Row]) -> Iterator[Row]:
    """Yield the rows of one moment that are not among ``rows``."""
    found, most = _answer(ask, moment)
    if len(found) >= most:
        raise CannotAskError(f"more entries at one moment than an answer holds: {most} at {moment.start}")
    known = {_key(row) for row in rows if row.timestamp == moment.start}
    return (row for row in found if _key(row) not in known)


def _key(row: Row) -> tuple[str, frozenset[tuple[str, str]]]:
    return row.line, frozenset(row.fields.items())
