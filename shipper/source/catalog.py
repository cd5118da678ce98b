"""Which file on disk is which followed file, by inode first and by bytes in the end.

Decides only; what it has to see of a file it asks its ``FileProbe``. Inodes are used again, and files are
rewritten in place: a file that looks smaller or other than it was is doubted, looked at again, and then found
to be itself, or lost and another in its place.
"""

from collections.abc import Callable, Iterable, Mapping

from shipper.entry import FileMemory, Fingerprint
from shipper.source.fingerprint import HEAD_BYTES, fingerprint, fits_head, fits_mark, mark_start
from shipper.source.followed import (
    NOWHERE,
    FileProbe,
    FileStat,
    Found,
    Inode,
    Placed,
    TrackedFile,
    follow,
    restore,
)
from shipper.source.lost import Lost
from shipper.source.splitter import Splitter

# A file that is being renamed, or a folder that is being mounted again, is back well within this.
GONE_SECONDS = 60
# What comes back within a day, as after a long repair, goes on where it was.
FORGET_SECONDS = 24 * 3600
# A stale size or page on a network file system is right again by then (Fluent Bit #10276).
DOUBT_SECONDS = 1.0
# Of the names of session files; a file that is followed already is followed under any.
SUFFIX = ".jsonl"


class Catalog:
    """All followed files. ``largest`` is the longest line to hold in memory, in bytes."""

    def __init__(self, memories: Iterable[FileMemory], next_id: int, largest: int) -> None:
        self._largest = largest
        self.next_id = next_id
        self.files: dict[int, TrackedFile] = {}
        self._by_inode: dict[Inode, TrackedFile] = {}
        self._lost = Lost()
        self._unseen: dict[int, TrackedFile] = {}
        self._doubted: dict[int, str] = {}
        self._strangers: dict[Inode, FileStat] = {}
        self._changed: set[int] = set()
        self.unplaced: dict[Inode, FileStat] = {}
        for memory in memories:
            self._keep(restore(memory, largest))
        self._unseen.update(self.files)
        self._changed.clear()

    @property
    def has_changed(self) -> bool:
        """Tell whether something has to be remembered that it was not at the last ``take_changed``."""
        return bool(self._changed)

    def take_changed(self) -> set[int]:
        """Return the files of which something else has to be remembered, those forgotten included."""
        changed, self._changed = self._changed, set()
        return changed

    def note_change(self, file: TrackedFile) -> None:
        """Note that something else has to be remembered of a file."""
        self._changed.add(file.file_id)

    def place_all(self, sightings: Iterable[FileStat], eyes: FileProbe, now: float) -> list[Placed]:
        """Say of each sighting which file it is; those with a known inode are placed before all others.

        What cannot be read now is left ``unplaced``.
        """
        latest = {each.inode: each for each in sightings}
        known_first = sorted(latest.values(), key=lambda each: each.inode not in self._by_inode)
        placed = (self._place(each, eyes, now) for each in known_first)
        return [each for each in placed if each is not None]

    def drop(self, names: Iterable[FileStat], wall: int) -> None:
        """Note names that are no longer there; ``wall`` is seconds since 1970."""
        for sighting in names:
            self._strangers.pop(sighting.inode, None)
            self.unplaced.pop(sighting.inode, None)
            file = self._by_inode.get(sighting.inode)
            if file is not None and file.path == sighting.path:
                self._lose(file, wall)

    def drop_unseen(self, seen: Iterable[FileStat], hidden: Iterable[str], wall: int) -> None:
        """Note files of an earlier process that are not there; below ``hidden`` paths none can be seen."""
        if not self._unseen:
            return
        inodes = {each.inode for each in seen}
        for file in list(self._unseen.values()):
            if file.inode in inodes:
                del self._unseen[file.file_id]
            elif not any(f"{file.path}/".startswith(f"{each}/") for each in hidden):
                del self._unseen[file.file_id]
                self._lose(file, wall)

    def settle_doubts(self, eyes: FileProbe, now: float, wall: int) -> list[Placed]:
        """Look again at the files that seemed smaller or other than they were."""
        due = [file_id for file_id in self._doubted if _is_past(self.files[file_id].doubted_since, now)]
        settled = (self._settle_doubt(each, eyes, now, wall) for each in due)
        return [each for each in settled if each is not None]

    def newly_gone(self, wall: int, present: Callable[[], Mapping[Inode, str]]) -> list[TrackedFile]:
        """Return the files that have been out of sight for so long that what was not read is given up.

        ``present`` tells under which name each inode is there: a file may have had two.
        """
        overdue = [each for each in self._lost if not each.gone and wall - each.lost_at >= GONE_SECONDS]
        names = present() if overdue else {}
        for file in overdue:
            if file.inode in names:
                file.path = names[file.inode]
                self._find(file)
        return [each for each in overdue if each.lost_at]

    def forgettable(self, wall: int) -> list[TrackedFile]:
        """Return the files that are gone for so long that nothing has to be remembered of them."""
        return [each for each in self._lost if each.gone and wall - each.lost_at >= FORGET_SECONDS]

    def forget(self, file: TrackedFile) -> None:
        """Follow a file no more."""
        del self.files[file.file_id]
        self.note_change(file)
        self._unseen.pop(file.file_id, None)
        self._doubted.pop(file.file_id, None)
        self._lost.discard(file)
        if self._by_inode.get(file.inode) is file:
            del self._by_inode[file.inode]

    def renumber(self, file: TrackedFile, offset: int, mark: Fingerprint, last_time: int) -> TrackedFile:
        """Follow a file under a new id from an offset on: what is under way of it no longer counts."""
        self.forget(file)
        splitter = Splitter(self.next_id, offset, self._largest)
        fresh = TrackedFile(self.next_id, file.path, file.inode, file.head, mark, splitter, file.size)
        fresh.known_size, fresh.modified_ns, fresh.exhausted_at = file.known_size, file.modified_ns, offset
        fresh.last_time, fresh.first_seen = last_time, file.first_seen
        self.next_id += 1
        self._keep(fresh)
        if file.lost_at:
            self._lose(fresh, file.lost_at)
        return fresh

    def verify(self, file: TrackedFile, eyes: FileProbe, path: str) -> bool | None:
        """Tell whether the lines that were read are still there; None where that cannot be seen now."""
        head = eyes.peek(path, file.inode, 0, HEAD_BYTES)
        before = _before(eyes, path, file.inode, file.splitter.offset)
        if head is None or before is None:
            return None
        if not fits_head(file.head, head) or not fits_mark(file.mark, before):
            return False
        if not file.splitter.offset:
            file.head = fingerprint(head)
        file.splitter.tail, file.is_known = before, True
        return True

    def note_read(self, file: TrackedFile, eyes: FileProbe) -> None:
        """Remember the bytes by which the lines read so far are known; of a torn line none, it may change."""
        if not file.is_known:
            return
        known = min(HEAD_BYTES, file.splitter.offset)
        if known and file.head.length != known:
            head = eyes.peek(file.path, file.inode, 0, known)
            file.head = fingerprint(head) if head and len(head) == known else file.head
        file.mark = fingerprint(file.splitter.tail)

    def doubt(self, file: TrackedFile, path: str, now: float) -> None:
        """Read nothing of a file until another look at ``path`` has shown what it is.

        A size that was seen since its bytes were last compared may be that of another file.
        """
        file.doubted_since = now if file.doubted_since is None else file.doubted_since
        file.size = file.known_size
        self._doubted[file.file_id] = path

    def _place(self, sighting: FileStat, eyes: FileProbe, now: float) -> Placed | None:
        file = self._by_inode.get(sighting.inode)
        if file is not None:
            return self._place_known(file, sighting, eyes, now)
        ours = sighting.path.endswith(SUFFIX)
        head = eyes.peek(sighting.path, sighting.inode, 0, HEAD_BYTES) if ours or self._lost else b""
        if head is None:
            self.unplaced[sighting.inode] = sighting
            return None
        self.unplaced.pop(sighting.inode, None)
        adopted = self._lost.find(
            sighting, head, lambda offset: _before(eyes, sighting.path, sighting.inode, offset)
        )
        if adopted is not None:
            return self._adopt(adopted, sighting)
        if not ours:
            self._strangers[sighting.inode] = sighting
            return None
        fresh = follow(self.next_id, sighting, fingerprint(head), self._largest)
        self.next_id += 1
        self._keep(fresh)
        return Placed(Found.NEW, fresh)

    def _place_known(
        self, file: TrackedFile, sighting: FileStat, eyes: FileProbe, now: float
    ) -> Placed | None:
        self.unplaced.pop(sighting.inode, None)
        moved = file.path != sighting.path
        if file.doubted_since is not None or sighting.size < max(file.size, file.exhausted_at):
            self.doubt(file, sighting.path, now)
            return None
        has_just_grown = sighting.size > file.size and file.size <= file.exhausted_at
        if moved or file.lost_at or not (file.is_known and has_just_grown):
            same = self.verify(file, eyes, sighting.path)
            if same is None:
                self.unplaced[sighting.inode] = sighting
                return None
            if not same:
                self.doubt(file, sighting.path, now)
                return None
            file.known_size = sighting.size
        self._find(file)
        file.see(sighting)
        return Placed(Found.MOVED if moved else Found.SAME, file)

    def _settle_doubt(self, file_id: int, eyes: FileProbe, now: float, wall: int) -> Placed | None:
        file, path = self.files[file_id], self._doubted.get(file_id)
        sighting = eyes.look_again(path, file.inode) if path else None
        same = self.verify(file, eyes, sighting.path) if sighting else None
        if sighting is None or same is None:
            return None
        if not same or sighting.size < file.splitter.offset:
            return self._replace(file, sighting, eyes, now, wall)
        self._find(file)
        file.see(sighting)
        file.known_size = file.size
        file.splitter.restart_line()
        file.exhausted_at = min(file.exhausted_at, file.splitter.offset)
        return Placed(Found.SAME, file)

    def _replace(
        self, file: TrackedFile, sighting: FileStat, eyes: FileProbe, now: float, wall: int
    ) -> Placed | None:
        """Place what now stands under a file's inode as another file.

        The old one is lost until a file with its bytes is found, as after a copy-and-truncate.
        """
        was_there = not file.lost_at
        del self._by_inode[file.inode], self._doubted[file.file_id]
        file.inode, file.doubted_since = NOWHERE, None
        self._lose(file, wall)
        placed = self._place(sighting, eyes, now)
        if was_there and placed is not None and placed.found is Found.NEW:
            return Placed(Found.REWRITTEN, placed.file)
        return placed

    def _adopt(self, file: TrackedFile, sighting: FileStat) -> Placed:
        if self._by_inode.get(file.inode) is file:
            del self._by_inode[file.inode]
        self._find(file)
        file.see(sighting)
        file.known_size = file.size
        file.splitter.restart_line()
        file.exhausted_at = min(file.exhausted_at, file.size)
        self._by_inode[file.inode] = file
        self._strangers.pop(file.inode, None)
        return Placed(Found.MOVED, file)

    def _lose(self, file: TrackedFile, wall: int) -> None:
        """Note that a file is out of sight; what is no session file by its name may hold its bytes."""
        file.lost_at = file.lost_at or wall
        self.note_change(file)
        self._lost.add(file)
        self.unplaced.update(self._strangers)

    def _find(self, file: TrackedFile) -> None:
        file.lost_at, file.gone, file.doubted_since = 0, False, None
        self.note_change(file)
        self._unseen.pop(file.file_id, None)
        self._doubted.pop(file.file_id, None)
        self._lost.discard(file)

    def _keep(self, file: TrackedFile) -> None:
        self.files[file.file_id] = file
        self.note_change(file)
        if file.inode != NOWHERE:
            self._by_inode[file.inode] = file


def _before(eyes: FileProbe, path: str, inode: Inode, offset: int) -> bytes | None:
    start = mark_start(offset)
    return eyes.peek(path, inode, start, offset - start)


def _is_past(doubted_since: float | None, now: float) -> bool:
    return doubted_since is not None and now - doubted_since >= DOUBT_SECONDS
