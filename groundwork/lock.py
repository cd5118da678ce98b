"""Who holds a folder: an advisory lock that the kernel frees when its holder dies."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

# A probe holds the lock shared for microseconds; a second outlasts any that the scheduler interrupts.
_PROBES = 1000
_PROBE_SECONDS = 0.001


class FolderHeldError(Exception):
    """Another live process holds the lock."""


class FolderLock:
    """An exclusive ``flock`` on one file, held until ``release`` or the end of the process.

    Programs that this one starts do not inherit it. Usable as a context manager.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once, and make the folders to it. Raises ``FolderHeldError``, or ``OSError``."""
        for folder in reversed(self._path.parents):
            folder.mkdir(mode=0o750, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            taken = _take(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        if not taken:
            os.close(descriptor)
            raise FolderHeldError(str(self._path))
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
    """Tell whether a live process holds the lock; a file that is not there is held by nobody.

    Raises ``OSError`` when the file cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    """Lock exclusively; refuse only if another holds it so, as ``is_held`` never should keep a holder out."""
    for _ in range(_PROBES):
        if _flock(descriptor, fcntl.LOCK_EX):
            return True
        if not _flock(descriptor, fcntl.LOCK_SH):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(_PROBE_SECONDS)
    return False


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
