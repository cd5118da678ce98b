"""The identity of files: which file on disk is which tracked file, after renames, copies and rewrites.

Makes decisions only; a ``FileProbe`` reads the bytes that it needs.

Theory of operation
===================

A wrong decision has a price. If a known file is taken for a new one, all its lines are sent again. If a new
file is taken for a known one, the lines before the old offset are never sent. A path does not identify a
file, because files are renamed. An inode does not either, because the file system reuses it, and because a
file can be rewritten in place. So the inode is a hint, and two fingerprints decide: ``head`` hashes the first
bytes of the file, ``mark`` the bytes just before the offset. A file is the same only if both still match.

The states of a tracked file, and the fields that hold them:

=========  =========================================  ====================================================
state      held in                                    meaning
=========  =========================================  ====================================================
unseen     ``_unseen``                                restored from the checkpoint, not found on disk yet
followed   ``_by_inode``, no other                    found, its bytes match; it is read
doubted    ``_doubted``, ``file.doubted_since``       it shrank or its bytes differ; it is not read
lost       ``lost``, ``file.lost_at``                its name is gone, or its inode holds another file
gone       ``lost``, ``file.gone``                   lost for a minute; its unread bytes are given up
=========  =========================================  ====================================================

::

    (restored) --> unseen --> followed <--> doubted --> lost --> gone --> (forgotten)
    (new file) -----------------^  ^------------------- lost and gone, if its bytes turn up

The cases:

- *Append.* Same inode, larger size. If the file was compared in this process, and grows after it was read to
  its end, no bytes are compared: this is the common case, and it costs no read. Otherwise they are.
- *Rename.* Same inode, other path, and the bytes match: the file keeps its offset (``MOVED``).
- *Shrunk or different.* The size or the cached page of a network file system can be stale. The file is
  doubted, and looked at again after a second. Then it is either itself, or it is replaced.
- *Replaced or rewritten in place.* The old file becomes lost and gives up its inode. What stands there is
  placed as another file: usually a new one (``REWRITTEN``), read from its start.
- *Deleted.* The file becomes lost. If its inode shows up under any name, it is found. After a minute the rest
  of it is counted as dropped; after a day it is forgotten.
- *Copied and truncated, moved to another file system, remounted.* A file with an unknown inode whose bytes
  match a lost file adopts that file's offset. While a file is lost, files without the suffix ``.jsonl`` are
  compared as well, because rotation may have renamed it to such a name.
- *Cannot be read now.* The decision is postponed (``unplaced``). Nothing is lost, and nothing is sent twice.

Files with a known inode are placed before all others, so that a copy cannot adopt a file that still exists.
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

# A rename or a remount takes much less.
GONE_SECONDS = 60
# A file that comes back within a day, as after a long repair, continues at its offset.
FORGET_SECONDS = 24 * 3600
# A stale size or page of a network file system is corrected within this time (Fluent Bit #10276).
DOUBT_SECONDS = 1.0
# The suffix of session files. A file that is already followed is followed under any name.
SUFFIX = ".jsonl"
# A longer line is not gathered from the reads that seek its end, but read anew: so it is in memory once.
LARGEST_GATHERED = 256 << 10


class Catalog:
    """All tracked files. ``largest`` is the longest line to hold in memory, in bytes.

    ``vanished`` are paths with how many bytes were seen during a doubt, and gone before its end, often none.
    """

    def __init__(self, memories: Iterable[FileMemory], next_id: int, largest: int = LARGEST_GATHERED) -> None:
        self._largest = largest
        self.next_id = next_id
        self.files: dict[int, TrackedFile] = {}
        self._by_inode: dict[Inode, TrackedFile] = {}
        self.lost = Lost()
        self._unseen: dict[int, TrackedFile] = {}
        self._doubted: dict[int, str] = {}
        self._strangers: dict[Inode, FileStat] = {}
        self._changed: set[int] = set()
        self.unplaced: dict[Inode, FileStat] = {}
        self.vanished: list[tuple[str, int]] = []
        for memory in memories:
            self._keep(restore(memory, largest))
        self._unseen.update(self.files)
        self._changed.clear()

    @property
    def has_changed(self) -> bool:
        """Return whether the checkpoint misses changes since the last ``take_changed``."""
        return bool(self._changed)

    def take_changed(self) -> set[int]:
        """Return the ids of the files whose checkpoint entry changed, forgotten files included."""
        changed, self._changed = self._changed, set()
        return changed

    def note_change(self, file: TrackedFile) -> None:
        """Mark the checkpoint entry of a file as changed."""
        self._changed.add(file.file_id)

    def place_all(self, sightings: Iterable[FileStat], probe: FileProbe, now: float) -> list[Placed]:
        """Return the tracked file of each sighting; known inodes go first.

        A file that cannot be read now is left out and kept in ``unplaced``.
        """
        latest = {each.inode: each for each in sightings}
        known_first = sorted(latest.values(), key=lambda each: each.inode not in self._by_inode)
        placed = (self._place(each, probe, now) for each in known_first)
        return [each for each in placed if each is not None]

    def drop(self, names: Iterable[FileStat], wall: int) -> None:
        """Mark the files of these names as lost; ``wall`` is in seconds since 1970."""
        for sighting in names:
            self._strangers.pop(sighting.inode, None)
            self.unplaced.pop(sighting.inode, None)
            file = self._by_inode.get(sighting.inode)
            if file is not None and file.path == sighting.path:
                self._lose(file, wall)

    def drop_unseen(self, seen: Iterable[FileStat], hidden: Iterable[str], wall: int) -> None:
        """Mark unseen files as lost, except below ``hidden`` paths, which cannot be listed now."""
        if not self._unseen:
            return
        inodes = {each.inode for each in seen}
        for file in list(self._unseen.values()):
            if file.inode in inodes:
                del self._unseen[file.file_id]
            elif not any(f"{file.path}/".startswith(f"{each}/") for each in hidden):
                del self._unseen[file.file_id]
                self._lose(file, wall)

    def resolve_doubts(self, probe: FileProbe, now: float, wall: int) -> list[Placed]:
        """Look again at the files that have been doubted for a second, and decide."""
        due = [file_id for file_id in self._doubted if _is_past(self.files[file_id].doubted_since, now)]
        resolved = (self._resolve_doubt(each, probe, now, wall) for each in due)
        return [each for each in resolved if each is not None]

    def newly_gone(self, wall: int, present: Callable[[], Mapping[Inode, str]]) -> list[TrackedFile]:
        """Return the files that have been lost for a minute, so that their unread bytes are given up.

        ``present`` returns a path of each inode on disk: a file may have a second name (hard link).
        """
        overdue = [each for each in self.lost if not each.gone and wall - each.lost_at >= GONE_SECONDS]
        names = present() if overdue else {}
        for file in overdue:
            if file.inode in names:
                file.path = names[file.inode]
                self._find(file)
        return [each for each in overdue if each.lost_at]

    def forgettable(self, wall: int) -> list[TrackedFile]:
        """Return the files that have been gone for a day."""
        return [each for each in self.lost if each.gone and wall - each.lost_at >= FORGET_SECONDS]

    def forget(self, file: TrackedFile) -> None:
        """Remove a file from the catalog."""
        del self.files[file.file_id]
        self.note_change(file)
        self._unseen.pop(file.file_id, None)
        self._doubted.pop(file.file_id, None)
        self.lost.discard(file)
        if self._by_inode.get(file.inode) is file:
            del self._by_inode[file.inode]

    def renumber(self, file: TrackedFile, offset: int, mark: Fingerprint, last_time: int) -> TrackedFile:
        """Follow a file under a new id from an offset on, so that answers to earlier pushes do not count."""
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

    def verify(self, file: TrackedFile, probe: FileProbe, path: str) -> bool | None:
        """Return whether the bytes that were read are still there; None if the file cannot be read now."""
        head = probe.peek(path, file.inode, 0, HEAD_BYTES)
        before = _before(probe, path, file.inode, file.splitter.offset)
        if head is None or before is None:
            return None
        if not fits_head(file.head, head) or not fits_mark(file.mark, before):
            return False
        if not file.splitter.offset:
            file.head = fingerprint(head)
        file.splitter.tail, file.is_known = before, True
        return True

    def note_read(self, file: TrackedFile, probe: FileProbe) -> None:
        """Update the fingerprints to the lines read so far; a torn line may change and is excluded."""
        if not file.is_known:
            return
        known = min(HEAD_BYTES, file.splitter.offset)
        if known and file.head.length != known:
            head = probe.peek(file.path, file.inode, 0, known)
            file.head = fingerprint(head) if head and len(head) == known else file.head
        file.mark = fingerprint(file.splitter.tail)

    def doubt(self, file: TrackedFile, path: str, now: float) -> None:
        """Stop reading a file until another look at ``path`` has shown which file it is.

        Its size is reset to that of the last comparison, because a later one may belong to another file.
        """
        file.doubted_since = now if file.doubted_since is None else file.doubted_since
        file.size = file.known_size
        self._doubted[file.file_id] = path

    def _place(self, sighting: FileStat, probe: FileProbe, now: float) -> Placed | None:
        file = self._by_inode.get(sighting.inode)
        if file is not None:
            return self._place_known(file, sighting, probe, now)
        ours = sighting.path.endswith(SUFFIX)
        head = probe.peek(sighting.path, sighting.inode, 0, HEAD_BYTES) if ours or self.lost else b""
        if head is None:
            self.unplaced[sighting.inode] = sighting
            return None
        self.unplaced.pop(sighting.inode, None)
        adopted = self.lost.find(
            sighting, head, lambda offset: _before(probe, sighting.path, sighting.inode, offset)
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
        self, file: TrackedFile, sighting: FileStat, probe: FileProbe, now: float
    ) -> Placed | None:
        self.unplaced.pop(sighting.inode, None)
        moved = file.path != sighting.path
        if file.doubted_since is not None or sighting.size < max(file.size, file.exhausted_at):
            self.vanished.append((file.path, file.see_in_doubt(sighting.size)))
            if file.doubted_since is None:
                file.known_size = file.size
            self.doubt(file, sighting.path, now)
            return None
        has_just_grown = sighting.size > file.size and file.size <= file.exhausted_at
        if moved or file.lost_at or not (file.is_known and has_just_grown):
            same = self.verify(file, probe, sighting.path)
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

    def _resolve_doubt(self, file_id: int, probe: FileProbe, now: float, wall: int) -> Placed | None:
        file, path = self.files[file_id], self._doubted.get(file_id)
        sighting = probe.look_again(path, file.inode) if path else None
        same = self.verify(file, probe, sighting.path) if sighting else None
        if sighting is None or same is None:
            return None
        if not same or sighting.size < file.splitter.offset:
            self.vanished.append((file.path, file.see_in_doubt(sighting.size)))
            return self._replace(file, sighting, probe, now, wall)
        self._find(file)
        file.see(sighting)
        file.known_size = file.size
        file.splitter.restart_line()
        file.exhausted_at = min(file.exhausted_at, file.splitter.offset)
        return Placed(Found.SAME, file)

    def _replace(
        self, file: TrackedFile, sighting: FileStat, probe: FileProbe, now: float, wall: int
    ) -> Placed | None:
        """Place the file that took over another file's inode. The old one becomes lost."""
        was_there = not file.lost_at
        del self._by_inode[file.inode], self._doubted[file.file_id]
        file.inode, file.doubted_since = NOWHERE, None
        self._lose(file, wall)
        placed = self._place(sighting, probe, now)
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
        """Mark a file as lost. Files without the suffix may hold its bytes, so they are placed again."""
        file.lost_at = file.lost_at or wall
        self.note_change(file)
        self.lost.add(file)
        self.unplaced.update(self._strangers)

    def _find(self, file: TrackedFile) -> None:
        file.lost_at, file.gone, file.doubted_since = 0, False, None
        self.note_change(file)
        self._unseen.pop(file.file_id, None)
        self._doubted.pop(file.file_id, None)
        self.lost.discard(file)

    def _keep(self, file: TrackedFile) -> None:
        self.files[file.file_id] = file
        self.note_change(file)
        if file.inode != NOWHERE:
            self._by_inode[file.inode] = file


def _before(probe: FileProbe, path: str, inode: Inode, offset: int) -> bytes | None:
    start = mark_start(offset)
    return probe.peek(path, inode, start, offset - start)


def _is_past(doubted_since: float | None, now: float) -> bool:
    return doubted_since is not None and now - doubted_since >= DOUBT_SECONDS
