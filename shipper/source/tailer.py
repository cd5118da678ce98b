"""Reads files: one open descriptor a file at most, few in all."""

import os
from collections import OrderedDict

# 10,000 files are followed with few descriptors; this many are written at the same moment at most.
OPEN_FILES = 64


class UnreadableError(Exception):
    """The file cannot be opened or read now; the text is the system's reason."""


class ReplacedError(Exception):
    """The path leads to another file than the one that was seen there."""


class Tailer:
    """Reads bytes at offsets; keeps the descriptors used last."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[int, int], int] = OrderedDict()

    @property
    def open_files(self) -> int:
        """How many descriptors are open."""
        return len(self._open)

    def read(self, path: str, inode: tuple[int, int], offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``, fewer only at the end of the file.

        ``inode`` is (device, inode): a descriptor is kept by it, so a file that was renamed or deleted is
        read on. Raises ``ReplacedError`` and ``UnreadableError``.
        """
        try:
            descriptor = self._descriptor(path, inode)
            return os.pread(descriptor, size, offset)
        except OSError as exc:
            self.close(inode)
            raise UnreadableError(exc.strerror or str(exc)) from exc

    def size(self, path: str, inode: tuple[int, int]) -> int:
        """Return the file's size through a descriptor of its own, past any cache of attributes."""
        self.close(inode)
        try:
            return os.fstat(self._descriptor(path, inode)).st_size
        except OSError as exc:
            raise UnreadableError(exc.strerror or str(exc)) from exc

    def close(self, inode: tuple[int, int]) -> None:
        """Give up the descriptor of a file, if it is open."""
        descriptor = self._open.pop(inode, None)
        if descriptor is not None:
            os.close(descriptor)

    def close_all(self) -> None:
        """Give up every descriptor."""
        for inode in list(self._open):
            self.close(inode)

    def _descriptor(self, path: str, inode: tuple[int, int]) -> int:
        if inode in self._open:
            self._open.move_to_end(inode)
            return self._open[inode]
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) != inode:
            os.close(descriptor)
            raise ReplacedError(path)
        while len(self._open) >= OPEN_FILES:
            self.close(next(iter(self._open)))
        self._open[inode] = descriptor
        return descriptor
