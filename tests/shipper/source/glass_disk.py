"""A disk in memory that the catalog can look at."""

from dataclasses import dataclass

from shipper.source.catalog import Catalog
from shipper.source.followed import FileStat, Inode, Placed, TrackedFile


@dataclass
class Stored:
    inode: Inode
    content: bytes
    modified_ns: int


class GlassDisk:
    """Files by path. What is in ``dark`` cannot be read; ``stale`` sizes are what a plain look shows."""

    def __init__(self) -> None:
        self.files: dict[str, Stored] = {}
        self.dark: set[str] = set()
        self.stale: dict[str, int] = {}
        self.peeked: list[str] = []
        self._next = 100
        self._clock = 1

    def write(self, path: str, content: bytes, inode: Inode | None = None) -> FileStat:
        """Put bytes under a path: in place where it is there, else under a new inode or the given one."""
        self._clock += 1
        known = self.files.get(path)
        if inode is None and known is not None:
            inode = known.inode
        if inode is None:
            self._next += 1
            inode = (1, self._next)
        self.files[path] = Stored(inode, content, self._clock)
        return self.sight(path)

    def move(self, path: str, target: str) -> FileStat:
        self.files[target] = self.files.pop(path)
        return self.sight(target)

    def remove(self, path: str) -> FileStat:
        sighting = self.sight(path)
        del self.files[path]
        return sighting

    def sight(self, path: str) -> FileStat:
        stored = self.files[path]
        size = self.stale.get(path, len(stored.content))
        return FileStat(path, stored.inode, size, stored.modified_ns)

    def peek(self, path: str, inode: Inode, offset: int, size: int) -> bytes | None:
        self.peeked.append(path)
        stored = self.files.get(path)
        if stored is None or stored.inode != inode or path in self.dark:
            return None
        return stored.content[offset : offset + size]

    def look_again(self, path: str, inode: Inode) -> FileStat | None:
        self.stale.pop(path, None)
        stored = self.files.get(path)
        return self.sight(path) if stored is not None and stored.inode == inode else None


def read_to(catalog: Catalog, disk: GlassDisk, file: TrackedFile, offset: int) -> None:
    """Let a file be read up to an offset, at which a line ends."""
    content = disk.files[file.path].content
    run = file.splitter.cut(content[file.splitter.read_offset : offset])
    if run is not None:
        file.splitter.step_over(run, len(run))
    assert file.splitter.offset == offset
    file.exhausted_at = file.size
    catalog.note_read(file, disk)


def place(catalog: Catalog, disk: GlassDisk, *sightings: FileStat, now: float = 0.0) -> list[Placed]:
    return catalog.place_all(sightings, disk, now)
