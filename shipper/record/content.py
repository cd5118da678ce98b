"""The bytes of one line, wherever they are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# What is read of a line at a time where it is not in memory.
BLOCK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """A line without its newline: in memory as ``held``, or only to be had in pieces by ``read``.

    ``read(offset, size)`` returns exactly the bytes at that place of the line, whichever it is.
    """

    size: int
    read: Callable[[int, int], bytes]
    held: bytes | None = None

    def blocks(self) -> Iterator[bytes]:
        """Yield all bytes in pieces of bounded size."""
        for start in range(0, self.size, BLOCK_BYTES):
            size = min(BLOCK_BYTES, self.size - start)
            yield self.read(start, size) if self.held is None else self.held[start : start + size]

    def beginning(self, size: int) -> bytes:
        """Return the first bytes, at most ``size``."""
        return self.read(0, min(size, self.size)) if self.held is None else self.held[:size]

    def end(self, size: int) -> bytes:
        """Return the last bytes, at most ``size``."""
        start = max(0, self.size - size)
        return self.read(start, self.size - start) if self.held is None else self.held[start:]


def content_in_memory(line: bytes) -> Content:
    """Return the content of a line that is in memory and stays there."""
    return Content(len(line), lambda offset, size: line[offset : offset + size], line)
