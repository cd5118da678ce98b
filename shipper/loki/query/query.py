"""A query to Loki's query API, its rows and its errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Query(NamedTuple):
    """A LogQL log query from ``start`` to before ``end``, in nanoseconds, for the first ``limit`` rows."""

    logql: str
    start: int
    end: int
    limit: int


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of an answer; ``fields`` are its labels and structured metadata."""

    timestamp: int
    line: str
    fields: Mapping[str, str]


class AskAgainError(Exception):
    """A temporary failure: no answer, a limit, or an error inside Loki. Repeat the query later."""


class UnreachableError(AskAgainError):
    """Nothing listens on the address now."""


class CannotAskError(Exception):
    """A permanent failure: no permission to read, no query API there, or a query that Loki refuses."""


class TooMuchError(Exception):
    """The answer exceeds Loki's limits: query fewer rows."""


# Returns an answer's rows, oldest first; raises the errors above.
Ask = Callable[[Query], list[Row]]
