"""Who holds a folder: an advisory lock that the kernel frees when its holder dies."""

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from groundwork.disk.files import open_below, open_new

# A probe holds the lock shared for microseconds; a second outlasts any that the scheduler interrupts.
_PROBES = 1000
_PROBE_SECONDS = 0.001
# Of a link; of a pipe, a socket or a device, some of which cannot even be opened.
_NO_FILE = frozenset({errno.ELOOP, errno.EINVAL, errno.ENXIO})


class FolderHeldError(Exception):
    """Another live process holds the lock."""


class FolderLock:
    """An exclusive ``flock`` on one file, held until ``release`` or the end of the process.

    Programs that this one starts do not inherit it. Usable as a context manager. No link below ``root`` is
    followed; by default that is the folder of the file.
    """

    def __init__(self, path: Path, root: Path | None = None) -> None:
        self._path = path
        self._root = root or path.parent
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock at once, and make the folders to it. Raises ``FolderHeldError``, or ``OSError``."""
        descriptor = self._open()
        try:
            taken = _take(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        if not taken:
            os.close(descriptor)
            raise FolderHeldError(str(self._path))
        self._descriptor = descriptor

    def _open(self) -> int:
        try:
            return open_below(self._root, self._path, os.O_RDWR | os.O_CREAT, make=True)
        except OSError as exc:
            if exc.errno not in _NO_FILE:
                raise
            # A link or a pipe under this name holds no lock, and must not stop a start.
            return open_new(self._root, self._path, os.O_RDWR)

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
        descriptor = open_below(path.parent, path, os.O_RDONLY)
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
