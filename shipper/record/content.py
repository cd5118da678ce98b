"""The bytes of one line, wherever they are."""

from collections.abc import Callable, Iterator

import msgspec

# What is looked at of a line at a time: it fits into the processor's cache.
BLOCK_BYTES = 32 * 1024


class Content(msgspec.Struct, frozen=True, gc=False):
    """A line without its newline: in memory as ``held``, or only to be had in pieces by ``read``.

    ``read(offset, size)`` returns exactly the bytes at that place of the line, whichever it is.
    """

    size: int
    read: Callable[[int, int], bytes]
    held: bytes | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield all bytes in pieces of bounded size."""
        for start in range(0, self.size, BLOCK_BYTES):
            yield self.between(start, min(start + BLOCK_BYTES, self.size))

    def between(self, start: int, end: int) -> bytes:
        """Return the bytes from ``start`` to ``end``."""
        return self.read(start, end - start) if self.held is None else self.held[start:end]

    def beginning(self, size: int) -> bytes:
        """Return the first bytes, at most ``size``."""
        return self.between(0, min(size, self.size))

    def end(self, size: int) -> bytes:
        """Return the last bytes, at most ``size``."""
        return self.between(max(0, self.size - size), self.size)


def content_in_memory(line: bytes) -> Content:
    """Return the content of a line that is in memory and stays there."""
    return Content(len(line), lambda offset, size: line[offset : offset + size], line)
