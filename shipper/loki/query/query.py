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


class Measurement(NamedTuple):
    """A LogQL metric query, evaluated at each ``step`` from ``start`` to ``end``, in nanoseconds.

    With ``step`` 0 it is evaluated at ``end`` alone. Loki moves the moments to multiples of ``step``.
    """

    query: str
    start: int
    end: int
    step: int = 0


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric query; ``at`` is in nanoseconds."""

    labels: Mapping[str, str]
    at: int
    value: float


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


class OverdueError(AskAgainError):
    """No whole answer came within the time for one: to ask again at once would only double the wait."""


class CannotAskError(Exception):
    """A permanent failure: no permission to read, no query API there, or a query that Loki refuses."""


class TooMuchError(Exception):
    """The answer exceeds Loki's limits: query fewer rows."""


# Returns an answer's rows, oldest first; raises the errors above.
Ask = Callable[[Query], list[Row]]
# Returns a measurement's samples; raises the errors above.
Measure = Callable[[Measurement], list[Sample]]
