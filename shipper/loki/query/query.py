"""One question to Loki's query API, and what may come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Question(NamedTuple):
    """A LogQL log query from ``start`` to before ``end``, in nanoseconds, for the first ``limit`` rows."""

    query: str
    start: int
    end: int
    limit: int


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of an answer; ``fields`` are its labels and its structured metadata together."""

    timestamp: int
    line: str
    fields: Mapping[str, str]


class AskAgainError(Exception):
    """No answer now: silence, a limit, or trouble inside Loki. The same question may have one later."""


class UnreachableError(AskAgainError):
    """Nothing listens there now."""


class CannotAskError(Exception):
    """No answer ever: no permission to read, no query API at that address, or a question it does not take."""


class TooMuchError(Exception):
    """The answer is larger than Loki can give at once: ask for less."""


# Returns an answer's rows, oldest first; raises the errors above.
Ask = Callable[[Question], list[Row]]
