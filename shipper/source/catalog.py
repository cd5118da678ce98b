"""Which file on disk is which followed file, by inode first and by bytes in the end.

Decides only; what it has to see of a file it asks for through ``Peek``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from shipper.entry import FileMemory, Print
from shipper.source.fingerprint import HEAD_BYTES, fits, mark_start, print_of
from shipper.source.sighting import Sighting
from shipper.source.splitter import Splitter

# (path, (device, inode), offset, size) to bytes; None where the file cannot be read now.
Peek = Callable[[str, tuple[int, int], int, int], bytes | None]

# A file that is being renamed, or a folder that is being mounted again, is back well within this.
GONE_SECONDS = 60.0
# A stale size on a network file system is right again by the next look (Fluent Bit #10276).
SHRINK_SECONDS = 1.0
_SUFFIX = ".jsonl"


class Found(StrEnum):
    """What a look at a file has shown."""

    SAME = "same"
    NEW = "new"
    MOVED = "moved"
    REWRITTEN = "rewritten"
    UNREADABLE = "unreadable"
    NOT_OURS = "not_ours"


@dataclass(slots=True)
class Followed:
    """One followed file.

    ``mark`` is of the bytes before the splitter's offset, ``exhausted_at`` the size up to which the file has
    been read, ``last_time`` the time of the line read last.
    """

    file_id: int
    path: str
    inode: tuple[int, int]
    head: Print
    mark: Print
    splitter: Splitter
    size: int = 0
    exhausted_at: int = 0
    last_time: int = 0
    shrunk_since: float | None = None
    lost_since: float | None = None
    checked: bool = False

    @property
    def unread(self) -> int:
        """How many bytes, torn last line included, have not been given out as lines."""
        return max(0, self.size - self.splitter.offset)

    @property
    def torn(self) -> int:
        """How many bytes of a last line without a newline there are, once the file is read to its end."""
        return self.unread if self.exhausted_at >= self.size else 0


class Catalog:
    """All followed files. ``largest`` is the longest line to hold in memory, in bytes."""

    def __init__(self, memories: Iterable[FileMemory], next_id: int, largest: int) -> None:
        self._largest = largest
        self.next_id = next_id
        self.files: dict[int, Followed] = {}
        self._by_inode: dict[tuple[int, int], Followed] = {}
        self._strangers: dict[tuple[int, int], Sighting] = {}
        self._again: dict[tuple[int, int], Sighting] = {}
        self._lost: dict[Print, list[Followed]] = {}
        self._lost_lengths: set[int] = set()
        for memory in memories:
            self._add(self._remembered(memory))

    def place_all(
        self, sightings: Iterable[Sighting], peek: Peek, now: float
    ) -> list[tuple[Found, Followed | None, Sighting]]:
        """Say of each sighting which file it is; those with a known inode are placed before all others."""
        waiting = {**self._again, **{(each.device, each.inode): each for each in sightings}}
        self._again = {}
        known_first = sorted(waiting.items(), key=lambda item: item[0] not in self._by_inode)
        return [(*self._place(key, sighting, peek, now), sighting) for key, sighting in known_first]

    def missing(self, present: set[tuple[int, int]], now: float) -> list[Followed]:
        """Return the files that have been out of sight for so long that they count as gone."""
        for file in self.files.values():
            if file.inode in present and self._by_inode.get(file.inode) is file:
                file.lost_since = None
            elif file.lost_since is None:
                file.lost_since = now
        self._index_lost()
        return [each for each in self.files.values() if _past(each.lost_since, now, GONE_SECONDS)]

    def forget(self, file: Followed) -> None:
        """Follow a file no more."""
        del self.files[file.file_id]
        if self._by_inode.get(file.inode) is file:
            del self._by_inode[file.inode]

    def renumber(self, file: Followed, offset: int, last_time: int) -> Followed:
        """Follow a file under a new id from an offset on: what is under way of it no longer counts."""
        del self.files[file.file_id]
        splitter = Splitter(self.next_id, offset, self._largest)
        fresh = Followed(self.next_id, file.path, file.inode, file.head, Print(), splitter, file.size, offset)
        fresh.last_time, fresh.checked = last_time, True
        self.next_id += 1
        self._add(fresh)
        return fresh

    def verify(self, file: Followed, peek: Peek) -> bool | None:
        """Tell whether head and mark are still what they were; None where that cannot be read now."""
        head = peek(file.path, file.inode, 0, HEAD_BYTES)
        start = mark_start(file.splitter.offset)
        mark = peek(file.path, file.inode, start, file.splitter.offset - start)
        if head is None or mark is None:
            return None
        if not fits(file.head, head) or not fits(file.mark, mark):
            return False
        file.head = print_of(head)
        file.checked = True
        return True

    def rewrite(self, file: Followed, now: float) -> Followed:
        """Take what now stands under a file's inode for another file, to be read from its start.

        The old one is lost until a file with its bytes is found, as after a copy-and-truncate.
        """
        sighting = Sighting(file.path, *file.inode, size=0, modified_ns=0)
        fresh = self._follow(sighting, Print())
        file.lost_since = now
        self._index_lost()
        self._again.update(self._strangers)
        return fresh

    def _place(
        self, key: tuple[int, int], sighting: Sighting, peek: Peek, now: float
    ) -> tuple[Found, Followed | None]:
        file = self._by_inode.get(key)
        if file is not None:
            return self._place_known(file, sighting, peek, now)
        head = peek(sighting.path, key, 0, HEAD_BYTES)
        if head is None:
            self._again[key] = sighting
            return Found.UNREADABLE, None
        adopted = self._adopt(key, sighting, head, peek)
        if adopted is not None:
            return Found.MOVED, adopted
        if not sighting.path.endswith(_SUFFIX):
            self._strangers[key] = sighting
            return Found.NOT_OURS, None
        return Found.NEW, self._follow(sighting, print_of(head))

    def _place_known(
        self, file: Followed, sighting: Sighting, peek: Peek, now: float
    ) -> tuple[Found, Followed]:
        moved = file.path != sighting.path
        file.path = sighting.path
        same = True if file.checked else self.verify(file, peek)
        if same is None:
            self._again[file.inode] = sighting
            return Found.UNREADABLE, file
        if not same or self._has_shrunk(file, sighting, now):
            fresh = self.rewrite(file, now)
            fresh.size = sighting.size
            return Found.REWRITTEN, fresh
        file.size = max(file.size, sighting.size) if file.shrunk_since else sighting.size
        return Found.MOVED if moved else Found.SAME, file

    def _has_shrunk(self, file: Followed, sighting: Sighting, now: float) -> bool:
        """Believe a smaller size only when a later look has seen it too."""
        if sighting.size >= file.splitter.read_offset:
            file.shrunk_since = None
            return False
        if file.shrunk_since is None:
            file.shrunk_since = now
        self._again[file.inode] = sighting
        return now - file.shrunk_since >= SHRINK_SECONDS

    def _adopt(self, key: tuple[int, int], sighting: Sighting, head: bytes, peek: Peek) -> Followed | None:
        """Find the file that lost its inode and whose bytes these are."""
        for length in self._lost_lengths:
            for file in self._lost.get(print_of(head[:length]), ()):
                if self._has_mark(file, key, sighting, peek):
                    self._move(file, key, sighting)
                    return file
        return None

    def _move(self, file: Followed, key: tuple[int, int], sighting: Sighting) -> None:
        if self._by_inode.get(file.inode) is file:
            del self._by_inode[file.inode]
        file.inode, file.path, file.size = key, sighting.path, sighting.size
        file.lost_since, file.checked = None, True
        self._by_inode[key] = file
        self._strangers.pop(key, None)
        self._lost[file.head].remove(file)

    def _index_lost(self) -> None:
        """Group the files that are out of sight by their heads; one without bytes cannot be found."""
        lost = [each for each in self.files.values() if each.lost_since is not None and each.head.length]
        self._lost = {}
        for file in lost:
            self._lost.setdefault(file.head, []).append(file)
        self._lost_lengths = {head.length for head in self._lost}

    def _has_mark(self, file: Followed, key: tuple[int, int], sighting: Sighting, peek: Peek) -> bool:
        start = mark_start(file.splitter.offset)
        mark = peek(sighting.path, key, start, file.splitter.offset - start)
        return mark is not None and fits(file.mark, mark)

    def _follow(self, sighting: Sighting, head: Print) -> Followed:
        splitter = Splitter(self.next_id, 0, self._largest)
        inode = (sighting.device, sighting.inode)
        file = Followed(self.next_id, sighting.path, inode, head, Print(), splitter, size=sighting.size)
        file.checked = True
        self.next_id += 1
        self._add(file)
        return file

    def _remembered(self, memory: FileMemory) -> Followed:
        splitter = Splitter(memory.file_id, memory.offset, self._largest)
        inode = (memory.device, memory.inode)
        file = Followed(memory.file_id, memory.path, inode, memory.head, memory.mark, splitter)
        file.size = file.exhausted_at = memory.offset
        file.last_time = memory.last_time
        return file

    def _add(self, file: Followed) -> None:
        self.files[file.file_id] = file
        self._by_inode[file.inode] = file


def _past(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since >= seconds
