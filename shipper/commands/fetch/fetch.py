"""``llm-loki-ship fetch``: a session out of Loki or its file, as lines or as a conversation."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from groundwork.commands.terminal import PrintedBytes
from shipper.commands.fetch.conversation import turns
from shipper.commands.fetch.markdown import markdown
from shipper.commands.fetch.rebuild import rebuilt
from shipper.commands.fetch.source.files import FileLines, file_of, kept, lines_of_file
from shipper.commands.fetch.source.session import Fetched, lines_of, pieces_of
from shipper.config import LokiSettings, ShipperSettings
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
    """What to fetch: a session by its name or by the path of its file.

    ``since`` is how far back to look in Loki, in seconds; without ``output`` it goes to stdout. ``files``
    stands for the log folder in the place of Loki. With ``whole`` each request has its whole body.
    """

    session: str
    since: float | None = None
    output: str = ""
    files: bool = False
    whole: bool = False
    conversation: bool = False


Complain = Callable[[str], None]


def write_session(settings: ShipperSettings, wanted: Wanted, complain: Complain) -> bool:
    """Write a session's lines, as they stood in their file, with whole bodies, or as a conversation.

    What is not there, or not whole, is left out and told to ``complain``; returns whether nothing was.
    Raises ``UnusableError`` for the configuration, ``AskAgainError`` and ``CannotAskError`` where Loki does
    not answer, ``OSError`` for the files.
    """
    troubles: list[str] = []

    def note(trouble: str) -> None:
        complain(trouble)
        troubles.append(trouble)

    path = Path(wanted.session)
    if path.is_file():
        _write_file(path, wanted, note)
    elif wanted.files:
        _write_from_folder(settings.log_folder, wanted, note)
    else:
        _write_from_loki(settings.loki, wanted, note)
    return not troubles


def _write_from_folder(log_dir: Path, wanted: Wanted, note: Complain) -> None:
    session = session_named(wanted.session)
    path = file_of(log_dir, session)
    if path is None:
        note(f"{log_dir} has no file of session {session}: llm-loki-ship status tells which folder it is")
    else:
        _write_file(path, wanted, note)


def _write_file(path: Path, wanted: Wanted, note: Complain) -> None:
    with lines_of_file(path) as lines:
        _write(lines, wanted, note)
        if lines.torn:
            note(f"the last line, {lines.torn:,} bytes by now, has no end yet")


def _write_from_loki(loki: LokiSettings, wanted: Wanted, note: Complain) -> None:
    with asking(loki) as ask:
        now = time.time_ns()
        session = session_named(wanted.session)
        start = _start(session, wanted.since, now)
        pieces = pieces_of(ask, session, start, now)
        if not pieces:
            note(_not_found(session, start))
            return
        lines = _lines(lines_of(ask, session, pieces), note)
        if not (wanted.whole or wanted.conversation):
            _write(lines, wanted, note)
            return
        with kept(lines) as again:
            _write(again, wanted, note)


def _write(lines: Iterable[bytes] | FileLines, wanted: Wanted, note: Complain) -> None:
    if isinstance(lines, FileLines) and (wanted.whole or wanted.conversation):
        lines = _rebuilt(lines, note)
    with _opened(wanted.output) as target:
        for line in _conversation(lines) if wanted.conversation else lines:
            target.write(line + b"\n")


def _lines(fetched: Iterable[Fetched], note: Complain) -> Iterator[bytes]:
    """Yield the lines that are there; what is not is told."""
    for each in fetched:
        if each.line is not None:
            yield each.line
        if each.trouble:
            note(each.trouble)


def _rebuilt(lines: FileLines, note: Complain) -> Iterator[bytes]:
    """Yield the lines with whole bodies; one whose body cannot be rebuilt stays as it is, and is told."""
    for each in rebuilt(lines, lines.again):
        if each.trouble:
            note(each.trouble)
        yield each.line


def _conversation(lines: Iterable[bytes]) -> Iterator[bytes]:
    width = shutil.get_terminal_size((_PAGE_WIDTH, 0)).columns
    return (line.encode("utf-8", "replace") for line in markdown(turns(lines), width))


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
def _opened(output: str) -> Iterator[BinaryIO | PrintedBytes]:
    if output:
        with Path(output).open("wb") as target:
            yield target
    else:
        printed = PrintedBytes()
        yield printed
        printed.flush()
