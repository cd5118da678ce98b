"""The checkpoint file: replaced whole, by temporary file, ``fsync`` and rename.

The generation before is kept beside it: a crash at any moment leaves one that can be read. Whatever is found
instead of a checkpoint costs a warning and copies, never a start or a line.
"""

import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from groundwork.disk.files import open_new, read_below, rename_below
from shipper.entry import FileMemory

VERSION = 1
_NAME = "checkpoint.json"
_PREVIOUS = "checkpoint.previous.json"
# What was found in the place of a checkpoint and cannot be read, for whoever wants to know why.
_UNREADABLE = "checkpoint.unreadable.json"


class CheckpointError(Exception):
    """The checkpoint cannot be written; the text is the system's reason."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was found at start; ``warning`` tells why a generation could not be used."""

    files: tuple[FileMemory, ...]
    next_id: int
    warning: str = ""


class _Table(msgspec.Struct):
    version: int
    next_id: int
    files: tuple[FileMemory, ...]


class CheckpointStore:
    """The checkpoint in one state folder: what ``put`` and ``drop`` say, once it is saved."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _NAME
        self._previous = folder / _PREVIOUS
        self._rows: dict[int, bytes] = {}
        self._unsaved: set[int] = set()
        self._is_sound = False
        self._fails = False
        self.is_unsaved = False

    def load(self) -> Restored:
        """Return the newest generation that can be read; nothing at all is a fresh start."""
        warnings = []
        restored = None
        for path in (self._path, self._previous):
            try:
                table = _decode(read_below(self._folder, path))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, RecursionError) as exc:
                warnings.append(f"{path}: {_reason(exc)}")
            else:
                restored = Restored(table.files, table.next_id, "; ".join(warnings))
                self._is_sound = path == self._path
                break
        if restored is None:
            restored = Restored((), 1, "; ".join(warnings))
        if restored.warning or not restored.files:
            # Ids that a lost generation gave out must not come back: the in-flight log may know them.
            restored = replace(restored, next_id=max(restored.next_id, time.time_ns() // 1000))
        for memory in restored.files:
            self.put(memory)
        self._note_saved()
        return restored

    @property
    def fails(self) -> bool:
        """Tell whether the last attempt to write it failed."""
        return self._fails

    def lacks(self, file_id: int) -> bool:
        """Tell whether the checkpoint on disk has no row of a file; false where none can be written."""
        return not self._fails and (file_id not in self._rows or file_id in self._unsaved)

    def put(self, memory: FileMemory) -> None:
        """Remember a file, or remember it otherwise."""
        row = _encode(memory)
        if self._rows.get(memory.file_id) != row:
            if memory.file_id not in self._rows:
                self._unsaved.add(memory.file_id)
            self._rows[memory.file_id] = row
            self.is_unsaved = True

    def drop(self, file_id: int) -> None:
        """Remember a file no more."""
        self._unsaved.discard(file_id)
        if self._rows.pop(file_id, None) is not None:
            self.is_unsaved = True

    def save(self, next_id: int) -> None:
        """Write the checkpoint. Raises ``CheckpointError``; what was there before can then still be read."""
        rows = b",\n".join(self._rows.values())
        data = b'{"version":%d,"next_id":%d,"files":[\n%b\n]}\n' % (VERSION, next_id, rows)
        temporary = self._path.with_suffix(".tmp")
        try:
            _write(self._folder, temporary, data)
            with suppress(FileNotFoundError):
                rename_below(self._folder, self._path, _PREVIOUS if self._is_sound else _UNREADABLE)
            rename_below(self._folder, temporary, _NAME)
            self._is_sound = True
            _sync_folder(self._folder)
        except OSError as exc:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._fails = True
            raise CheckpointError(_reason(exc)) from exc
        self._note_saved()

    def _note_saved(self) -> None:
        self._fails = self.is_unsaved = False
        self._unsaved.clear()


def _write(folder: Path, path: Path, data: bytes) -> None:
    with os.fdopen(open_new(folder, path, os.O_WRONLY), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _encode(memory: FileMemory) -> bytes:
    try:
        return msgspec.json.encode(memory)
    except UnicodeEncodeError:
        # A name on disk is any bytes; one that is no text is written as it would be shown.
        return msgspec.json.encode(
            replace(memory, path=memory.path.encode("utf-8", "backslashreplace").decode())
        )


def _decode(data: bytes) -> _Table:
    table = msgspec.json.decode(data, type=_Table)
    if table.version != VERSION:
        raise ValueError(f"version {table.version}, expected {VERSION}")
    return table


def _reason(exc: Exception) -> str:
    return getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
