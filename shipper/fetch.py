"""``llm-loki-ship fetch``: a session's lines out of Loki, as they stood in their file."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from shipper.access import connect
from shipper.config import LokiSettings
from shipper.reading.client import LokiReader
from shipper.reading.question import Ask, AskAgainError, Question, Row
from shipper.reading.session import lines_of, pieces_of
from shipper.record.moment import session_time

_NANOSECONDS = 1_000_000_000
_DAY_NS = 24 * 3600 * _NANOSECONDS
# The Go predecessor named sessions in local time.
_BEFORE_NAME_NS = _DAY_NS
# How far back to look for a session whose name tells no time.
_BACK_NS = 7 * _DAY_NS
# A limit or a restart of Loki's has passed by then, or it has not.
_WAITS = (1.0, 2.0, 4.0, 8.0)


def write_session(
    loki: LokiSettings, session: str, since: float | None, output: str, complain: Callable[[str], None]
) -> bool:
    """Write a session's lines to a file, or to stdout where ``output`` is empty; ``since`` is in seconds.

    What is not in Loki, or not whole, is left out and told to ``complain``; returns whether nothing was.
    Raises ``UnusableError`` for the configuration, ``AskAgainError`` and ``CannotAskError`` where Loki does
    not answer, ``OSError`` for the output.
    """
    with connect(loki) as http:
        ask = _patient(LokiReader(http, loki.url).ask)
        now = time.time_ns()
        pieces = pieces_of(ask, session, _start(session, since, now), now)
        if not pieces:
            complain(f"Loki has no line of session {session}")
            return False
        whole = True
        with _opened(output) as target:
            for each in lines_of(ask, session, pieces):
                if each.line is not None:
                    target.write(each.line + b"\n")
                if each.trouble:
                    complain(each.trouble)
                    whole = False
    return whole


def _start(session: str, since: float | None, now: int) -> int:
    if since is not None:
        return now - int(since * _NANOSECONDS)
    named = session_time(session)
    return now - _BACK_NS if named is None else named - _BEFORE_NAME_NS


def _patient(ask: Ask) -> Ask:
    def asked(question: Question) -> list[Row]:
        for wait in _WAITS:
            try:
                return ask(question)
            except AskAgainError:
                time.sleep(wait)
        return ask(question)

    return asked


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    if output:
        with Path(output).open("wb") as target:
            yield target
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
