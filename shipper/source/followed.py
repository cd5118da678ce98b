"""One tracked file: its state on disk, and how far it has been read."""

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
    """Reads what the catalog needs of a file. ``None``: the file cannot be read now."""

    def peek(self, path: str, inode: Inode, offset: int, size: int) -> bytes | None:
        """Return up to ``size`` bytes at ``offset``, fewer only at the end of the file."""
        ...

    def look_again(self, path: str, inode: Inode) -> FileStat | None:
        """Return the file's state without caches of a network file system."""
        ...


# A turn's first read: a new file often has no more, or has to wait after its first line.
FIRST_READ_BYTES = 32 * 1024
# The inode of a tracked file whose inode now belongs to another file.
NOWHERE: Inode = (0, 0)


@dataclass(slots=True)
class TrackedFile:
    """One tracked file. The states are described in ``shipper.source.catalog``.

    - ``head``: fingerprint of the first bytes, as far as they were read, or as seen if none were read.
    - ``mark``: fingerprint of the bytes before the splitter's offset.
    - ``size``, ``modified_ns``: as last seen.
    - ``known_size``: the size when the fingerprints were last compared with the bytes on disk.
    - ``is_known``: the fingerprints were compared in this process.
    - ``exhausted_at``: the size up to which the file was read.
    - ``last_time``: the time of the line that was read last, in nanoseconds since 1970.
    - ``doubted_since``: when the doubt began, on the monotonic clock; None without a doubt.
    - ``doubted_size``: the size that was seen last during the doubt.
    - ``lost_at``: when the file was lost, in seconds since 1970; 0 if it is not.
    - ``gone``: its unread bytes were given up.
    - ``waits``: its next line belongs to a later window.
    - ``turn_offset``: where its last turn began; ``next_read``: how many bytes its next turn reads first.
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
    doubted_size: int = 0
    lost_at: int = 0
    gone: bool = False
    waits: bool = False
    turn_offset: int = 0
    next_read: int = FIRST_READ_BYTES

    @property
    def unread(self) -> int:
        """The bytes that were not returned as lines, a torn last line included."""
        return 0 if self.gone else max(0, self.size - self.splitter.offset)

    @property
    def torn(self) -> int:
        """The bytes of a last line without a newline; 0 until the file is read to its end."""
        return self.unread if self.exhausted_at >= self.size else 0

    @property
    def has_turn(self) -> bool:
        """Return whether there is something to read and the file may be read now."""
        if self.waits or self.gone or self.doubted_since is not None or self.inode == NOWHERE:
            return False
        return self.size > self.exhausted_at

    def see_in_doubt(self, size: int) -> int:
        """Take a size that was seen, and return how many bytes seen during the doubt went with it."""
        vanished = self.doubted_size if self.doubted_since is not None and size < self.doubted_size else 0
        self.doubted_size = size
        return vanished

    def see(self, sighting: FileStat) -> None:
        """Take over what was seen of this file, and end its doubt or loss."""
        self.path, self.inode = sighting.path, sighting.inode
        self.size, self.modified_ns = sighting.size, sighting.modified_ns
        self.lost_at, self.gone, self.doubted_since = 0, False, None


class Lag(NamedTuple):
    """Bytes on disk that are not settled, and bytes of last lines without a newline, not among them."""

    unsettled: int
    torn: int


class Found(StrEnum):
    """How a file was identified."""

    SAME = "same"
    NEW = "new"
    MOVED = "moved"
    REWRITTEN = "rewritten"


class Placed(NamedTuple):
    """A tracked file, and how it was identified."""

    found: Found
    file: TrackedFile


def follow(file_id: int, sighting: FileStat, head: Fingerprint, largest: int) -> TrackedFile:
    """Return a new file, to be read from its start."""
    splitter = Splitter(file_id, 0, largest)
    file = TrackedFile(file_id, sighting.path, sighting.inode, head, Fingerprint(), splitter, sighting.size)
    file.known_size, file.modified_ns, file.is_known = sighting.size, sighting.modified_ns, True
    return file


def restore(memory: FileMemory, largest: int) -> TrackedFile:
    """Return a file from the checkpoint, to be read from its offset."""
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
