"""The kernel's file events as they happen: to act between two steps of another process."""

import ctypes
import os
import select
import struct
import time
from enum import IntFlag
from pathlib import Path
from types import TracebackType
from typing import Self

_EVENT = struct.Struct("iIII")
_BUFFER = 64 * 1024


class Happening(IntFlag):
    """Events of inotify(7)."""

    CREATED = 0x100
    MOVED_HERE = 0x80


class Notifier:
    """The events in one folder, from its making on; a context manager."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        mask = Happening.CREATED | Happening.MOVED_HERE
        if self._descriptor < 0 or libc.inotify_add_watch(self._descriptor, os.fsencode(folder), mask) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)

    def wait_for(self, happening: Happening, name: str, deadline: float) -> bool:
        """Return as soon as this happens to that name; False when it has not within ``deadline`` seconds."""
        end = time.monotonic() + deadline
        while (left := end - time.monotonic()) > 0:
            select.select([self._descriptor], [], [], left)
            if (happening, name) in self._read():
                return True
        return False

    def _read(self) -> list[tuple[int, str]]:
        try:
            data = os.read(self._descriptor, _BUFFER)
        except BlockingIOError:
            return []
        found = []
        while data:
            _, mask, _, length = _EVENT.unpack_from(data)
            name = data[_EVENT.size : _EVENT.size + length].rstrip(b"\0")
            found.append((mask, os.fsdecode(name)))
            data = data[_EVENT.size + length :]
        return found
