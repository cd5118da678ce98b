"""One tracked file: what a look at it shows, and how far it has been read."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from shipper.entry import FileMemory, Fingerprint
from shipper.source.splitter import Splitter

# Device and inode.
Inode = tuple[int, int]


@dataclass(frozen=True, slots=True)
class FileStat:
    """One regular file as ``stat`` saw it; ``path`` begins as the log folder was given."""

    path: str
    inode: Inode
    size: int
    modified_ns: int


class FileProbe(Protocol):
    """What can be seen of a file; ``None`` where nothing can be seen of it now."""

    def peek(self, path: str, inode: Inode, offset: int, size: int) -> bytes | None:
        """Return up to ``size`` bytes at ``offset``, fewer only at the end of the file."""
        ...

    def look_again(self, path: str, inode: Inode) -> FileStat | None:
        """Look past all that may be stale."""
        ...


# The inode of a file whose own was taken by another file, or by other bytes.
NOWHERE: Inode = (0, 0)


@dataclass(slots=True)
class TrackedFile:
    """One followed file.

    ``head`` is of the first bytes as far as they were read, and of all that was seen while nothing was read;
    ``mark`` is of the bytes before the splitter's offset. ``size`` and ``modified_ns`` are as last seen,
    ``known_size`` is as seen when head and mark were last compared with the bytes on disk, and ``is_known``
    tells that they were in this process; ``exhausted_at`` is the size up to which the file has been read,
    ``last_time`` the time of the line read last. ``doubted_since`` is when the file was first seen smaller or
    other than it was, on the monotonic clock, ``lost_at`` when it came out of sight, in seconds since 1970,
    or 0; ``gone`` tells that its unread bytes were given up. While ``waits`` is set, its next line is for a
    later window.
    """

    file_id: int
    path: str
    inode: Inode
    head: Fingerprint
    mark: Fingerprint
    splitter: Splitter
    size: int
    known_size: int = 0
    modified_ns: int = 0
    exhausted_at: int = 0
    last_time: int = 0
    first_seen: int = 0
    is_known: bool = False
    doubted_since: float | None = None
    lost_at: int = 0
    gone: bool = False
    waits: bool = False

    @property
    def unread(self) -> int:
        """How many bytes, torn last line included, have not been given out as lines."""
        return 0 if self.gone else max(0, self.size - self.splitter.offset)

    @property
    def torn(self) -> int:
        """How many bytes of a last line without a newline there are, once the file is read to its end."""
        return self.unread if self.exhausted_at >= self.size else 0

    @property
    def has_turn(self) -> bool:
        """Tell whether there is something new to read, and nothing speaks against it."""
        if self.waits or self.gone or self.doubted_since is not None or self.inode == NOWHERE:
            return False
        return self.size > self.exhausted_at

    def see(self, sighting: FileStat) -> None:
        """Take over what was seen of this file."""
        self.path, self.inode = sighting.path, sighting.inode
        self.size, self.modified_ns = sighting.size, sighting.modified_ns
        self.lost_at, self.gone, self.doubted_since = 0, False, None


class Found(StrEnum):
    """What a look at a file has shown."""

    SAME = "same"
    NEW = "new"
    MOVED = "moved"
    REWRITTEN = "rewritten"


class Placed(NamedTuple):
    """A file, and what was found of it."""

    found: Found
    file: TrackedFile


def follow(file_id: int, sighting: FileStat, head: Fingerprint, largest: int) -> TrackedFile:
    """Return a file that is new, to be read from its start."""
    splitter = Splitter(file_id, 0, largest)
    file = TrackedFile(file_id, sighting.path, sighting.inode, head, Fingerprint(), splitter, sighting.size)
    file.known_size, file.modified_ns, file.is_known = sighting.size, sighting.modified_ns, True
    return file


def restore(memory: FileMemory, largest: int) -> TrackedFile:
    """Return a file of an earlier process, to be read from where all was settled."""
    return TrackedFile(
        memory.file_id,
        memory.path,
        (memory.device, memory.inode),
        memory.head,
        memory.mark,
        Splitter(memory.file_id, memory.offset, largest),
        max(memory.size, memory.offset),
        known_size=max(memory.size, memory.offset),
        exhausted_at=memory.offset,
        last_time=memory.last_time,
        first_seen=memory.first_seen,
        lost_at=memory.lost_at,
        gone=memory.gone,
    )
