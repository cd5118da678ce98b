"""The checkpoint file: replaced whole, by temporary file, ``fsync`` and rename.

A crash before the rename leaves the old generation, after it the new one; the one before is kept beside it.
Whatever is found instead of a checkpoint costs a warning and copies, never a start or a line.
"""

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from shipper.entry import FileMemory, Print

VERSION = 1
_NAME = "checkpoint.json"
_PREVIOUS = "checkpoint.previous.json"


class CheckpointError(Exception):
    """The checkpoint cannot be written; the text is the system's reason."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was found at start; ``warning`` tells why a generation could not be used."""

    files: tuple[FileMemory, ...]
    next_id: int
    warning: str = ""


class CheckpointStore:
    """The checkpoint in one state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _NAME
        self._previous = folder / _PREVIOUS
        self._written: bytes = b""
        self._rows: dict[int, tuple[FileMemory, bytes]] = {}

    def load(self) -> Restored:
        """Return the newest generation that can be read; nothing at all is a fresh start."""
        warnings = []
        for path in (self._path, self._previous):
            try:
                found = _decode(path.read_bytes())
            except FileNotFoundError:
                continue
            except (OSError, ValueError, KeyError, TypeError) as exc:
                warnings.append(f"{path}: {exc or type(exc).__name__}")
            else:
                return Restored(found.files, found.next_id, "; ".join(warnings))
        return Restored((), 1, "; ".join(warnings))

    def save(self, files: Iterable[FileMemory], next_id: int) -> bool:
        """Make this the checkpoint; False when nothing has changed. Raises ``CheckpointError``."""
        data = self._encode(files, next_id)
        if data == self._written:
            return False
        try:
            self._replace(data)
        except OSError as exc:
            raise CheckpointError(exc.strerror or str(exc)) from exc
        self._written = data
        return True

    def _encode(self, files: Iterable[FileMemory], next_id: int) -> bytes:
        """Join one row a file; of a value that is the one of the last time, the row of the last time."""
        before, self._rows = self._rows, {}
        for memory in files:
            known = before.get(memory.file_id)
            same = known is not None and known[0] is memory
            self._rows[memory.file_id] = known if same else (memory, _row(memory))  # type: ignore[assignment]
        rows = b",\n".join(row for _, row in self._rows.values())
        return b'{"version":%d,"next_id":%d,"files":[\n%b\n]}\n' % (VERSION, next_id, rows)

    def _replace(self, data: bytes) -> None:
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._keep_previous()
        temporary.replace(self._path)
        _sync_folder(self._folder)

    def _keep_previous(self) -> None:
        """Link the generation that is about to be replaced, so that at no moment none is there."""
        if self._path.exists():
            self._previous.unlink(missing_ok=True)
            os.link(self._path, self._previous)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _row(memory: FileMemory) -> bytes:
    return orjson.dumps({**asdict(memory), "head": [*memory.head], "mark": [*memory.mark]})


def _decode(data: bytes) -> Restored:
    table = orjson.loads(data)
    if table["version"] != VERSION:
        raise ValueError(f"version {table['version']}, expected {VERSION}")
    return Restored(tuple(_memory(row) for row in table["files"]), int(table["next_id"]))


def _memory(row: dict[str, Any]) -> FileMemory:
    return FileMemory(**{**row, "head": Print(*row["head"]), "mark": Print(*row["mark"])})
