"""What was on its way when a process died: an append-only log beside the checkpoint.

Each push has a ``begin`` before it leaves and a ``done`` or a ``void`` after its answer. Replayed over the
checkpoint, it tells which lines past a file's offset Loki has, and of which it is not known. It is written
without ``fsync``: what a crash of the whole machine takes of it costs copies, never a line.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from groundwork.disk.files import open_below, open_new, read_below, rename_below
from shipper.checkpoint.append import append
from shipper.entry import Entry, Span

_NAME = "inflight.jsonl"
# Replay of this much takes well below a second; after a checkpoint a longer log is begun anew.
MOST_BYTES = 4 << 20

# One entry: file, offset of its line, part, and the limit that the line was cut to. Cut to another limit, a
# part of the same number holds other bytes.
Key = tuple[int, int, int, int]


@dataclass(slots=True)
class RecoveredPushes:
    """What an earlier process left: entries that Loki has, and entries of unknown fate.

    ``unknown`` tells when each was last pushed, in seconds since 1970. Of lines in ``islands`` Loki has all.
    """

    stored: set[Key] = field(default_factory=set)
    islands: list[Span] = field(default_factory=list)
    unknown: dict[Key, float] = field(default_factory=dict)


def key_of(entry: Entry) -> Key:
    """Return what the log knows an entry by."""
    return entry.span.file_id, entry.span.start, entry.part, entry.cut


class InflightLog:
    """The log in one state folder. Writing raises ``OSError``; a log that cannot be read is an empty one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _NAME
        self._descriptor: int | None = None
        self._size = self._least = 0
        self._open: dict[int, tuple[float, list[Key]]] = {}

    @property
    def is_long(self) -> bool:
        """Tell whether it is time to begin anew: what still counts may be long too, behind a parked line."""
        return self._size > max(MOST_BYTES, 2 * self._least)

    def load(self) -> RecoveredPushes:
        """Replay what an earlier process wrote; a torn last line is left out."""
        try:
            lines = read_below(self._folder, self._path).splitlines()
        except OSError:
            return RecoveredPushes()
        return _replay(lines)

    def begin(self, number: int, entries: Iterable[Entry], wall: float) -> None:
        """Note that a push is about to leave; ``wall`` is now, in seconds since 1970."""
        keys = [key_of(each) for each in entries]
        self._open[number] = wall, keys
        self._write(_begin(number, wall, keys))

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

    def restart(self, fates: RecoveredPushes, settled: Callable[[Key], bool]) -> None:
        """Begin a new log with what still counts; call it after the checkpoint has been written.

        ``fates`` are entries past the offsets of the checkpoint, ``settled`` tells of others what needs no
        remembering.
        """
        left = {
            number: (wall, [each for each in keys if not settled(each)])
            for number, (wall, keys) in self._open.items()
        }
        self._open = {number: begun for number, begun in left.items() if begun[1]}
        rows: list[dict[str, Any]] = [
            {"stored": list(fates.stored)},
            {"islands": [tuple(each) for each in fates.islands]},
        ]
        rows += [_begin(-number, wall, [key]) for number, (key, wall) in enumerate(fates.unknown.items())]
        rows += [_begin(number, wall, keys) for number, (wall, keys) in self._open.items()]
        data = b"".join(_line(row) for row in rows)
        temporary = self._path.with_suffix(".tmp")
        with os.fdopen(open_new(self._folder, temporary, os.O_WRONLY), "wb") as file:
            file.write(data)
        self.close()
        rename_below(self._folder, temporary, _NAME)
        self._size = self._least = len(data)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _write(self, row: dict[str, Any]) -> None:
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._descriptor = open_below(self._folder, self._path, flags, make=True)
        data = _line(row)
        append(self._descriptor, data)
        self._size += len(data)


def _begin(number: int, wall: float, keys: list[Key]) -> dict[str, Any]:
    return {"begin": number, "at": wall, "entries": keys}


def _line(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def _keys(rows: Iterable[Any]) -> list[Key]:
    return [(int(file), int(start), int(part), int(cut)) for file, start, part, cut in rows]


def _replay(lines: Iterable[bytes]) -> RecoveredPushes:
    fates = RecoveredPushes()
    begun: dict[int, tuple[float, list[Key]]] = {}
    for line in lines:
        # Whatever else a row holds, it tells nothing of any push.
        with suppress(ValueError, TypeError, KeyError):
            _replay_row(orjson.loads(line), begun, fates)
    for wall, keys in begun.values():
        for key in keys:
            if key not in fates.stored:
                fates.unknown[key] = max(wall, fates.unknown.get(key, 0.0))
    return fates


def _replay_row(row: Any, begun: dict[int, tuple[float, list[Key]]], fates: RecoveredPushes) -> None:
    if "begin" in row:
        begun[row["begin"]] = float(row["at"]), _keys(row["entries"])
    elif "stored" in row:
        fates.stored.update(_keys(row["stored"]))
    elif "islands" in row:
        fates.islands += [Span(int(file), int(start), int(end)) for file, start, end in row["islands"]]
    elif "done" in row:
        fates.stored.update(begun.pop(row["done"], (0.0, ()))[1])
    elif "void" in row:
        begun.pop(row["void"], None)
