"""``llm-loki-ship fetch``: a session's lines out of Loki, as they stood in their file."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from shipper.asking import asking
from shipper.config import LokiSettings
from shipper.reading.session import lines_of, pieces_of
from shipper.record.moment import session_time

_NANOSECONDS = 1_000_000_000
_DAY_NS = 24 * 3600 * _NANOSECONDS
# The Go predecessor named sessions in local time.
_BEFORE_NAME_NS = _DAY_NS
# How far back to look for a session whose name tells no time.
_BACK_NS = 7 * _DAY_NS


def session_named(text: str) -> str:
    """Return the session that a name, a file's name or its path means."""
    return text.rstrip("/").rpartition("/")[2].removesuffix(".jsonl")


def write_session(
    loki: LokiSettings, session: str, since: float | None, output: str, complain: Callable[[str], None]
) -> bool:
    """Write a session's lines to a file, or to stdout where ``output`` is empty; ``since`` is in seconds.

    What is not in Loki, or not whole, is left out and told to ``complain``; returns whether nothing was.
    Raises ``UnusableError`` for the configuration, ``AskAgainError`` and ``CannotAskError`` where Loki does
    not answer, ``OSError`` for the output.
    """
    with asking(loki) as ask:
        now = time.time_ns()
        start = _start(session, since, now)
        pieces = pieces_of(ask, session, start, now)
        if not pieces:
            complain(_not_found(session, start))
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


def _not_found(session: str, start: int) -> str:
    day = datetime.fromtimestamp(start / _NANOSECONDS, UTC)
    return (
        f"Loki has no line of session {session} since {day:%Y-%m-%d %H:%M} UTC: llm-loki-ship sessions lists "
        "those that it has, --since 30d looks further back, llm-loki-ship status tells what waits to be sent"
    )


def _start(session: str, since: float | None, now: int) -> int:
    if since is not None:
        return now - int(since * _NANOSECONDS)
    named = session_time(session)
    return now - _BACK_NS if named is None else named - _BEFORE_NAME_NS


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    if output:
        with Path(output).open("wb") as target:
            yield target
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
