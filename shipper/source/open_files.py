"""Reads files: one open descriptor a file at most, few in all."""

import errno
import os
import resource
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path

from groundwork.disk.files import NotRegularError, open_below
from shipper.source.followed import FileStat, Inode

# 10,000 files are followed with few descriptors; this many are written at the same moment at most.
OPEN_FILES = 64


# For Loki's connections, the health port, the log folder and the state folder, whatever the limit is.
_KEPT = 40
_FEWEST = 4
# The system's words for a want of descriptors: files that were read to their end are given up for others.
_SHORT = frozenset({errno.EMFILE, errno.ENFILE})


class UnreadableError(Exception):
    """The file cannot be opened or read now; the text is the system's reason."""


class ReplacedError(UnreadableError):
    """The path leads to another file than was seen there, or to none: the next look will tell."""


class Tailer:
    """Reads bytes at offsets of files below ``root``; keeps the descriptors used last."""

    def __init__(self, root: str | Path) -> None:
        self._root = root
        self._open: OrderedDict[Inode, int] = OrderedDict()
        self._used: set[Inode] = set()
        self._most = _most_open()

    @property
    def open_files(self) -> int:
        """How many descriptors are open."""
        return len(self._open)

    def read(self, path: str, inode: Inode, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``, fewer only at the end of the file.

        A descriptor is kept by inode, so a file that was renamed or deleted is read on. Raises
        ``UnreadableError``, which is a ``ReplacedError`` where another look will tell more.
        """
        try:
            descriptor = self._descriptor(path, inode)
            return os.pread(descriptor, size, offset)
        except OSError as exc:
            self.close(inode)
            raise _trouble(exc) from exc

    def look_again(self, path: str, inode: Inode) -> FileStat:
        """Look at a file through a new descriptor, past any cache of attributes and pages.

        Raises ``UnreadableError``.
        """
        self.close(inode)
        try:
            found = os.fstat(self._descriptor(path, inode))
        except OSError as exc:
            raise _trouble(exc) from exc
        return FileStat(path, inode, found.st_size, found.st_mtime_ns)

    def close(self, inode: Inode) -> None:
        """Give up the descriptor of a file, if it is open."""
        descriptor = self._open.pop(inode, None)
        if descriptor is not None:
            os.close(descriptor)

    def size_of(self, inode: Inode) -> int | None:
        """Return the size of a file that is open, whatever its name; None for one that is not."""
        descriptor = self._open.get(inode)
        return None if descriptor is None else os.fstat(descriptor).st_size

    def close_idle(self, kept: Collection[Inode]) -> None:
        """Give up the descriptors that were not used since the last call, so that a disk can be unmounted.

        Those that are ``kept`` stay.
        """
        for inode in self._open.keys() - self._used.union(kept):
            self.close(inode)
        self._used.clear()

    def close_all(self) -> None:
        """Give up every descriptor."""
        for inode in list(self._open):
            self.close(inode)

    def _descriptor(self, path: str, inode: Inode) -> int:
        self._used.add(inode)
        if inode in self._open:
            self._open.move_to_end(inode)
            return self._open[inode]
        try:
            descriptor = open_below(self._root, path, os.O_RDONLY)
        except OSError as exc:
            if exc.errno not in _SHORT or not self._open:
                raise
            self.close_all()
            descriptor = open_below(self._root, path, os.O_RDONLY)
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != inode:
            os.close(descriptor)
            raise ReplacedError(path)
        while len(self._open) >= self._most:
            self.close(next(iter(self._open)))
        self._open[inode] = descriptor
        return descriptor


def _most_open() -> int:
    """Return how many descriptors files may have, under the limit of this process."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return OPEN_FILES
    return max(_FEWEST, min(OPEN_FILES, soft - _KEPT))


def _trouble(exc: OSError) -> UnreadableError:
    reason = exc.strerror or str(exc)
    vanished = isinstance(exc, FileNotFoundError | NotADirectoryError | NotRegularError)
    return ReplacedError(reason) if vanished else UnreadableError(reason)
