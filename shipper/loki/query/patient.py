"""Requests of the commands to Loki, repeated while a failure may be temporary."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from shipper.config import LokiSettings
from shipper.loki.connect import connect
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import Ask, AskAgainError, OverdueError, UnreachableError
from shipper.loki.query.reading import Reading

# Seconds between attempts. A rate limit or a restart of Loki lasts less than their sum, or much longer.
_WAITS = (1.0, 2.0, 4.0, 8.0)

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")


@contextmanager
def asking(loki: LokiSettings) -> Iterator[Ask]:
    """Yield a function that queries the configured Loki and repeats a query that failed temporarily.

    Before the first answer, an unreachable Loki is an error at once. Raises ``UnusableError`` for an invalid
    configuration.
    """
    with reading(loki) as (ask, _):
        yield ask


@contextmanager
def reading(loki: LokiSettings) -> Iterator[Reading]:
    """Yield what ``asking`` yields, and the same for metric queries."""
    with connect(loki) as http:
        reader = LokiReader(http, loki.url)
        yield Reading(_patient(reader.ask), _patient(reader.measure))


def patiently(attempt: Callable[[], T], is_passing: Callable[[T], bool]) -> T:
    """Return the first result that is not ``is_passing``, or the last one after 15 s of waiting."""
    for wait in _WAITS:
        result = attempt()
        if not is_passing(result):
            return result
        time.sleep(wait)
    return attempt()


def _patient(ask: Callable[[Q], list[A]]) -> Callable[[Q], list[A]]:
    answered = False

    def may_pass(result: list[A] | AskAgainError) -> bool:
        if not isinstance(result, AskAgainError) or isinstance(result, OverdueError):
            return False
        return answered or not isinstance(result, UnreachableError)

    def asked(query: Q) -> list[A]:
        nonlocal answered
        result = patiently(lambda: _tried(ask, query), may_pass)
        if isinstance(result, AskAgainError):
            raise result
        answered = True
        return result

    return asked


def _tried(ask: Callable[[Q], list[A]], query: Q) -> list[A] | AskAgainError:
    try:
        return ask(query)
    except AskAgainError as exc:
        return exc
