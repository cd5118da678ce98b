"""What one look at a file shows."""

from dataclasses import dataclass
from typing import Protocol

# Device and inode.
Inode = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Sighting:
    """One regular file as ``stat`` saw it; ``path`` begins as the log folder was given."""

    path: str
    inode: Inode
    size: int
    modified_ns: int


class Eyes(Protocol):
    """What can be seen of a file; ``None`` where nothing can be seen of it now."""

    def peek(self, path: str, inode: Inode, offset: int, size: int) -> bytes | None:
        """Return up to ``size`` bytes at ``offset``, fewer only at the end of the file."""
        ...

    def look_again(self, path: str, inode: Inode) -> Sighting | None:
        """Look past all that may be stale."""
        ...
