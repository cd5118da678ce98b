"""Lost files, to be found again by their bytes: after a remount, or as a copy of a truncated file."""

from collections.abc import Callable, Iterator

from shipper.entry import Fingerprint
from shipper.source.fingerprint import fingerprint, fits_mark
from shipper.source.followed import FileStat, TrackedFile

# Many files share a shorter head; with it a file is the same only under its old name or inode number.
_TELLING_BYTES = 64


class Lost:
    """The files that were followed and are no longer where they were."""

    def __init__(self) -> None:
        self._files: dict[int, TrackedFile] = {}
        self._heads: dict[int, Fingerprint] = {}
        self._by_head: dict[Fingerprint, dict[int, TrackedFile]] = {}

    def __iter__(self) -> Iterator[TrackedFile]:
        """Iterate over the files, which must not change meanwhile."""
        return iter(self._files.values())

    @property
    def readable(self) -> list[TrackedFile]:
        """The files that are not given up yet: what is open of them can be read."""
        return [each for each in self._files.values() if not each.gone]

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._files)

    def add(self, file: TrackedFile) -> None:
        """Add a file, indexed by its head."""
        self.discard(file)
        self._files[file.file_id] = file
        self._heads[file.file_id] = file.head
        self._by_head.setdefault(file.head, {})[file.file_id] = file

    def discard(self, file: TrackedFile) -> None:
        """Remove a file, if it is there."""
        if self._files.pop(file.file_id, None) is not None:
            head = self._heads.pop(file.file_id)
            del self._by_head[head][file.file_id]
            if not self._by_head[head]:
                del self._by_head[head]

    def find(
        self, sighting: FileStat, head: bytes, before: Callable[[int], bytes | None]
    ) -> TrackedFile | None:
        """Return the lost file with these first bytes; ``before`` reads the bytes before an offset."""
        for known in sorted({each.length for each in self._by_head if each.length}, reverse=True):
            if known > len(head):
                continue
            for file in self._by_head.get(fingerprint(head[:known]), {}).values():
                if _is_told(file, sighting) and _fits(file, before(file.splitter.offset)):
                    return file
        return None


def _is_told(file: TrackedFile, sighting: FileStat) -> bool:
    return (
        file.head.length >= _TELLING_BYTES or file.path == sighting.path or file.inode[1] == sighting.inode[1]
    )


def _fits(file: TrackedFile, before: bytes | None) -> bool:
    return before is not None and fits_mark(file.mark, before)
