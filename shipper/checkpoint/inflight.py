"""What was on its way when a process died: an append-only log beside the checkpoint.

Each push has a ``begin`` before it leaves and a ``done`` or a ``void`` after its answer. Replayed over the
checkpoint, it tells which lines past a file's offset Loki has, and of which it is not known. It is written
without ``fsync``: what a crash of the whole machine takes of it costs copies, never a line.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from shipper.entry import Entry

_NAME = "inflight.jsonl"
# Replay of this much takes well below a second; after a checkpoint a longer log is begun anew.
MOST_BYTES = 4 << 20

# One entry: file, offset of its line, part.
Key = tuple[int, int, int]


@dataclass(slots=True)
class Fates:
    """What an earlier process left: entries that Loki has, and entries of unknown fate."""

    stored: set[Key] = field(default_factory=set)
    unknown: set[Key] = field(default_factory=set)


def key_of(entry: Entry) -> Key:
    """Return what the log knows an entry by."""
    return entry.span.file_id, entry.span.start, entry.part


class InflightLog:
    """The log in one state folder. Writing raises ``OSError``; a log that cannot be read is an empty one."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._descriptor: int | None = None
        self._size = 0
        self._open: dict[int, list[Key]] = {}

    @property
    def is_long(self) -> bool:
        """Tell whether it is time to begin anew."""
        return self._size > MOST_BYTES

    def load(self) -> Fates:
        """Replay what an earlier process wrote; a torn last line is left out."""
        try:
            lines = self._path.read_bytes().splitlines()
        except OSError:
            return Fates()
        return _replay(lines)

    def begin(self, number: int, entries: Iterable[Entry]) -> None:
        """Note that a push is about to leave."""
        keys = [key_of(each) for each in entries]
        self._open[number] = keys
        self._write({"begin": number, "entries": keys})

    def done(self, number: int) -> None:
        """Note that Loki has all of a push."""
        if self._open.pop(number, None) is not None:
            self._write({"done": number})

    def void(self, number: int) -> None:
        """Note that Loki has stored nothing of a push; without this or ``done`` its fate is unknown."""
        if self._open.pop(number, None) is not None:
            self._write({"void": number})

    def stored(self, entries: Iterable[Entry]) -> None:
        """Note entries that Loki was found to have."""
        self._write({"stored": [key_of(each) for each in entries]})

    def restart(self, stored: Iterable[Key], unknown: Iterable[Key], settled: Callable[[Key], bool]) -> None:
        """Begin a new log with what still counts; call it after the checkpoint has been written.

        ``stored`` are entries past the offsets of the checkpoint, ``unknown`` those of an earlier process
        whose fate has not been found out, ``settled`` tells what needs no remembering.
        """
        left = {number: [each for each in keys if not settled(each)] for number, keys in self._open.items()}
        self._open = {number: keys for number, keys in left.items() if keys}
        rows: list[dict[str, Any]] = [{"stored": list(stored)}, {"begin": 0, "entries": list(unknown)}]
        rows += [{"begin": number, "entries": keys} for number, keys in self._open.items()]
        data = b"".join(_line(row) for row in rows)
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        temporary.write_bytes(data)
        self.close()
        temporary.replace(self._path)
        self._size = len(data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, row: dict[str, Any]) -> None:
        if self._descriptor is None:
            self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o640)
        self._size += os.write(self._descriptor, _line(row))


def _line(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _replay(lines: Iterable[bytes]) -> Fates:
    fates = Fates()
    begun: dict[int, list[Key]] = {}
    for line in lines:
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if "begin" in row:
            begun[row["begin"]] = [(file, start, part) for file, start, part in row["entries"]]
        elif "stored" in row:
            fates.stored.update((file, start, part) for file, start, part in row["stored"])
        elif "done" in row:
            fates.stored.update(begun.pop(row["done"], ()))
        elif "void" in row:
            begun.pop(row["void"], None)
    fates.unknown = {key for keys in begun.values() for key in keys} - fates.stored
    return fates
