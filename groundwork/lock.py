"""Who holds a folder: an advisory lock that the kernel frees when its holder dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self


class FolderHeldError(Exception):
    """Another live process holds the lock."""


class FolderLock:
    """An exclusive ``flock`` on one file, held until ``release`` or the end of the process.

    Child processes do not inherit it. Usable as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once. Raises ``FolderHeldError`` when held, ``OSError`` when not writable."""
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            os.close(descriptor)
            raise FolderHeldError(str(self._path)) from exc
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        """Acquire."""
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release."""
        self.release()


def is_held(path: Path) -> bool:
    """Tell whether a live process holds the lock; a file that is not there is held by nobody."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
