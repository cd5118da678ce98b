"""One structured line per event on stderr: JSON for machines, columns for people.

An event has a stable dotted name (``shipper.batch_pushed``), a level, a sentence, and fields. Other
libraries' records go through the same formatter, as event ``log``.
"""

import json
import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import IO, Any, Literal

from groundwork.settings.units import format_bytesize, format_duration

LogFormat = Literal["auto", "human", "json"]
_FIELDS = "event_fields"
_NAME = "event_name"
# Select Graphic Rendition (ECMA-48 8.3.117).
_DIM = "2"
_COLOURS = {logging.WARNING: "33", logging.ERROR: "31", logging.CRITICAL: "31"}


# Lines that wait while nobody reads stderr; a burst at a start is far smaller.
_WAITING_LINES = 1000
# At the end of a process, a reader that stands still is not waited for.
_LAST_WAIT_SECONDS = 1.0


class EventLog:
    """The process's one way to write an event. ``fields`` must hold no secret, header value or body.

    ``human`` tells that people read it, not machines.
    """

    def __init__(
        self, logger: logging.Logger, *, human: bool = False, writer: "_Writer | None" = None
    ) -> None:
        self._logger = logger
        self._writer = writer
        self.human = human

    @property
    def dropped(self) -> int:
        """How many lines were dropped, as stderr is closed or is not read."""
        return self._writer.dropped if self._writer else 0

    def write(self, level: int, name: str, message: str, /, **fields: Any) -> None:
        """Write one line; ``level`` is a ``logging`` level. The line's own words are no names for fields."""
        self._logger.log(level, message, extra={_NAME: name, _FIELDS: fields})


def _one_line(text: str) -> str:
    """Escape what a name from outside could use to forge a line or to steer the terminal."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, _NAME, "log"),
            "message": record.getMessage(),
        }
        line = line | getattr(record, _FIELDS, {}) | line
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Unlike orjson, json also writes file names that are no valid text, and numbers of any size.
        return json.dumps(line, default=str)


class _HumanFormatter(logging.Formatter):
    """Time, level, the sentence, and what does not stand in it; ``coloured`` is for terminals."""

    def __init__(self, *, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        level = self._paint(f"{record.levelname:<7}", _COLOURS.get(record.levelno, ""))
        sentence = record.getMessage()
        fields = "".join(f"  {each}" for each in _beside(sentence, getattr(record, _FIELDS, {})))
        line = f"{self._paint(clock, _DIM)} {level} {_one_line(sentence)}"
        if fields:
            line += self._paint(_one_line(fields), _DIM)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._coloured and code else text


def _beside(sentence: str, fields: dict[str, Any]) -> Iterator[str]:
    """Yield what the sentence does not say, bytes and seconds in words."""
    for name, value in fields.items():
        if str(value) in sentence:
            continue
        if isinstance(value, int | float) and (name == "bytes" or name.endswith("_bytes")):
            yield f"{name.removesuffix('_bytes')}={format_bytesize(round(value))}"
        elif isinstance(value, int | float) and name.endswith("_seconds"):
            yield f"{name.removesuffix('_seconds')}={format_duration(round(value, 1))}"
        else:
            yield f"{name}={value}"


class _Writer(logging.Handler):
    """Writes lines from a thread of its own: a reader that stands still must not hold up who logs."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: queue.Queue[bytes] = queue.Queue(_WAITING_LINES)
        self._told = 0
        self.dropped = 0
        threading.Thread(target=self._run, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line; without room it is dropped and counted."""
        try:
            self._lines.put_nowait(f"{self.format(record)}\n".encode("utf-8", "backslashreplace"))
        except queue.Full:
            self.dropped += 1

    def flush(self) -> None:
        """Wait a moment until all is written."""
        end = time.monotonic() + _LAST_WAIT_SECONDS
        while self._lines.unfinished_tasks and time.monotonic() < end:
            time.sleep(0.001)

    def _run(self) -> None:
        while True:
            line = self._lines.get()
            try:
                self._write(line)
                if self.dropped > self._told and self._lines.empty():
                    self._tell()
            except OSError:
                self.dropped += 1
            self._lines.task_done()

    def _write(self, line: bytes) -> None:
        while line:
            line = line[os.write(self._descriptor, line) :]

    def _tell(self) -> None:
        count, self._told = self.dropped - self._told, self.dropped
        record = logging.LogRecord("log", logging.WARNING, "", 0, "Log lines were dropped", None, None)
        record.__dict__.update({_NAME: "log.dropped", _FIELDS: {"lines": count}})
        self._write(f"{self.format(record)}\n".encode())


def _is_coloured(stream: IO[str]) -> bool:
    """Tell whether colours are wanted: on a terminal that has them, without NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def start_log(program: str, log_format: LogFormat = "auto", stream: IO[str] | None = None) -> EventLog:
    """Send every record of this process through one handler on ``stream`` (stderr), and return the log.

    ``auto`` means human on a terminal and JSON otherwise.
    """
    if stream is None and sys.stderr is None:
        # Closed before the start: what is opened next gets its number, and must not get the log.
        stream = open(os.devnull, "w")  # noqa: PTH123, SIM115 - for the life of the process
    stream = stream or sys.stderr
    human = log_format == "human" or (log_format == "auto" and stream.isatty())
    writer = _Writer(sys.__stderr__.fileno()) if sys.__stderr__ and stream is sys.__stderr__ else None
    handler = writer or logging.StreamHandler(stream)
    handler.setFormatter(_HumanFormatter(coloured=_is_coloured(stream)) if human else _JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger = logging.getLogger(program)
    logger.setLevel(logging.INFO)
    return EventLog(logger, human=human, writer=writer)
