"""``llm-loki-ship fetch``: a session out of Loki, as it stood in its file, or as a conversation."""

import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from shipper.commands.fetch.conversation import turns
from shipper.commands.fetch.markdown import markdown
from shipper.commands.fetch.session import Fetched, lines_of, pieces_of
from shipper.config import LokiSettings
from shipper.loki.query.patient import asking
from shipper.record.timestamp import session_time

_NANOSECONDS = 1_000_000_000
_DAY_NS = 24 * 3600 * _NANOSECONDS
# The Go predecessor named sessions in local time.
_BEFORE_NAME_NS = _DAY_NS
# How far back to look for a session whose name tells no time.
_BACK_NS = 7 * _DAY_NS
# Of a conversation, where no terminal tells its width.
_PAGE_WIDTH = 100


def session_named(text: str) -> str:
    """Return the session that a name, a file's name or its path means."""
    return text.rstrip("/").rpartition("/")[2].removesuffix(".jsonl")


@dataclass(frozen=True)
class Wanted:
    """What to fetch: ``since`` is how far back to look, in seconds; without ``output`` it goes to stdout."""

    session: str
    since: float | None = None
    output: str = ""
    conversation: bool = False


def write_session(loki: LokiSettings, wanted: Wanted, complain: Callable[[str], None]) -> bool:
    """Write a session's lines, as they stood in their file or as a conversation.

    What is not in Loki, or not whole, is left out and told to ``complain``; returns whether nothing was.
    Raises ``UnusableError`` for the configuration, ``AskAgainError`` and ``CannotAskError`` where Loki does
    not answer, ``OSError`` for the output.
    """
    with asking(loki) as ask:
        now = time.time_ns()
        start = _start(wanted, now)
        pieces = pieces_of(ask, wanted.session, start, now)
        if not pieces:
            complain(_not_found(wanted.session, start))
            return False
        troubles: list[str] = []
        lines = _lines(lines_of(ask, wanted.session, pieces), troubles, complain)
        with _opened(wanted.output) as target:
            for line in _conversation(lines) if wanted.conversation else lines:
                target.write(line + b"\n")
        return not troubles


def _lines(
    fetched: Iterable[Fetched], troubles: list[str], complain: Callable[[str], None]
) -> Iterator[bytes]:
    """Yield the lines that are there; what is not is told and noted."""
    for each in fetched:
        if each.line is not None:
            yield each.line
        if each.trouble:
            complain(each.trouble)
            troubles.append(each.trouble)


def _conversation(lines: Iterable[bytes]) -> Iterator[bytes]:
    width = shutil.get_terminal_size((_PAGE_WIDTH, 0)).columns
    return (line.encode("utf-8", "replace") for line in markdown(turns(lines), width))


def _not_found(session: str, start: int) -> str:
    day = datetime.fromtimestamp(start / _NANOSECONDS, UTC)
    return (
        f"Loki has no line of session {session} since {day:%Y-%m-%d %H:%M} UTC: llm-loki-ship sessions lists "
        "those that it has, --since 30d looks further back, llm-loki-ship status tells what waits to be sent"
    )


def _start(wanted: Wanted, now: int) -> int:
    if wanted.since is not None:
        return now - int(wanted.since * _NANOSECONDS)
    named = session_time(wanted.session)
    return now - _BACK_NS if named is None else named - _BEFORE_NAME_NS


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    if output:
        with Path(output).open("wb") as target:
            yield target
    else:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
