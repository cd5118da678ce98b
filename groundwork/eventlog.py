"""One structured line per event on stderr: JSON for machines, columns for people.

An event has a stable dotted name (``shipper.batch_pushed``), a level, a sentence, and fields. Other
libraries' records go through the same formatter, as event ``log``.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import IO, Any, Literal

LogFormat = Literal["auto", "human", "json"]
_FIELDS = "event_fields"
_NAME = "event_name"


class EventLog:
    """The process's one way to write an event. ``fields`` must hold no secret, header value or body.

    ``human`` tells that people read it, not machines.
    """

    def __init__(self, logger: logging.Logger, *, human: bool = False) -> None:
        self._logger = logger
        self.human = human

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
    def format(self, record: logging.LogRecord) -> str:
        clock = datetime.fromtimestamp(record.created, UTC).astimezone().strftime("%H:%M:%S")
        fields = "".join(f"  {name}={value}" for name, value in getattr(record, _FIELDS, {}).items())
        line = f"{clock} {record.levelname:<7} {_one_line(record.getMessage() + fields)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def start_log(program: str, log_format: LogFormat = "auto", stream: IO[str] | None = None) -> EventLog:
    """Send every record of this process through one handler on ``stream`` (stderr), and return the log.

    ``auto`` means human on a terminal and JSON otherwise.
    """
    stream = stream or sys.stderr
    human = log_format == "human" or (log_format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_HumanFormatter() if human else _JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logger = logging.getLogger(program)
    logger.setLevel(logging.INFO)
    return EventLog(logger, human=human)
