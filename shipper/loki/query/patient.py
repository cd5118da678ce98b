"""Requests of the commands to Loki, repeated while a failure may be temporary."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from shipper.config import LokiSettings
from shipper.loki.connect import connect
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import Ask, AskAgainError, Query, Row, UnreachableError

# Seconds between attempts. A rate limit or a restart of Loki lasts less than their sum, or much longer.
_WAITS = (1.0, 2.0, 4.0, 8.0)

T = TypeVar("T")


@contextmanager
def asking(loki: LokiSettings) -> Iterator[Ask]:
    """Yield a function that queries the configured Loki and repeats a query that failed temporarily.

    Before the first answer, an unreachable Loki is an error at once. Raises ``UnusableError`` for an invalid
    configuration.
    """
    with connect(loki) as http:
        yield _patient(LokiReader(http, loki.url).ask)


def patiently(attempt: Callable[[], T], is_passing: Callable[[T], bool]) -> T:
    """Return the first result that is not ``is_passing``, or the last one after 15 s of waiting."""
    for wait in _WAITS:
        result = attempt()
        if not is_passing(result):
            return result
        time.sleep(wait)
    return attempt()


def _patient(ask: Ask) -> Ask:
    answered = False

    def may_pass(result: list[Row] | AskAgainError) -> bool:
        return isinstance(result, AskAgainError) and (answered or not isinstance(result, UnreachableError))

    def asked(query: Query) -> list[Row]:
        nonlocal answered
        result = patiently(lambda: _tried(ask, query), may_pass)
        if isinstance(result, AskAgainError):
            raise result
        answered = True
        return result

    return asked


def _tried(ask: Ask, query: Query) -> list[Row] | AskAgainError:
    try:
        return ask(query)
    except AskAgainError as exc:
        return exc
