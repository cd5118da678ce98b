"""Everything that is read from the log folder: which files there are, and the lines of each in turn."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from shipper.entry import Fingerprint, Line
from shipper.source.catalog import SUFFIX, Catalog
from shipper.source.discovery import Discovery, Scan
from shipper.source.followed import FileStat, Found, Inode, Placed, TrackedFile
from shipper.source.open_files import ReplacedError, Tailer, UnreadableError
from shipper.source.splitter import Run

# One read: large enough for few system calls, and below what the allocator takes from the system and gives
# back each time. A turn's first read is about what the file's last turn took: lines past the window's end are
# cut for nothing.
READ_BYTES = 128 * 1024
_LEAST_READ_BYTES = 8 * 1024
# One turn of a file before the next file has its own.
TURN_BYTES = 1 << 20
# A descriptor that was idle for so long, or up to twice as long, is closed.
_IDLE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found.

    ``gone`` are files of which nothing more is to be read, ``forgettable`` those that were gone for a day,
    ``unreadable`` are paths that cannot be read since the last look, each with the reason; ``vanished`` are
    paths with bytes that were seen and gone before they could be read.
    """

    placed: list[Placed]
    gone: Sequence[TrackedFile] = ()
    forgettable: Sequence[TrackedFile] = ()
    unreadable: Sequence[tuple[str, str]] = ()
    vanished: Sequence[tuple[str, int]] = ()


class Reader:
    """Reads the files below ``root`` that ``discovery`` finds and ``catalog`` tracks.

    Files last written before ``since_ns``, in nanoseconds since 1970, are left out: they get no turn.
    ``unreadable`` are the ids of followed files that could not be read between the last two looks.
    ``closed_paths`` are all files and folders that could not be opened then, with the reason;
    ``closed_bytes`` are those of files among them that are not followed yet.
    """

    def __init__(self, root: Path, discovery: Discovery, catalog: Catalog) -> None:
        self._discovery = discovery
        self._catalog = catalog
        self._tailer = Tailer(root)
        self._probe = _TailerProbe(self._tailer)
        self._turns: dict[int, None] = {}
        self._later: dict[int, str] = {}
        self._told: set[str] = set()
        self.unreadable: frozenset[int] = frozenset()
        self.closed_paths: dict[str, str] = {}
        self.closed_bytes = 0
        self._next_sweep = self._began = 0.0
        self.since_ns = 0

    @property
    def next_look(self) -> float:
        """When the next look is due, on the monotonic clock."""
        return self._discovery.next_scan

    @property
    def deaf(self) -> AbstractSet[str]:
        """The folders of which no file event tells."""
        return self._discovery.deaf

    @property
    def open_files(self) -> int:
        """How many descriptors are open."""
        return self._tailer.open_files

    def look(self, named: Iterable[str], now: float, wall: float) -> Look:
        """Look at the files that events named, and at all that are due."""
        due = now >= self.next_look
        if now >= self._next_sweep:
            self._next_sweep = now + _IDLE_SECONDS
            self._tailer.close_idle({each.inode for each in self._catalog.lost.readable})
        scan = self._discovery.scan(named, now, wall)
        steady = self._steady(now, wall)
        self._catalog.drop(scan.dropped, steady)
        look = self._look_around(scan, now, steady) if due else Look(self._place(scan.changed, now))
        for _, file in look.placed:
            self.turn_to(file)
        return look

    def _steady(self, now: float, wall: float) -> int:
        """Return the time since 1970 by a clock that nobody has set since the start, to measure ages by."""
        self._began = self._began or wall - now
        return int(self._began + now)

    def turn_to(self, file: TrackedFile) -> None:
        """Give a file a turn, if there is something new to read of it."""
        if file.has_turn and not self.leaves_out(file):
            self._turns[file.file_id] = None

    def leaves_out(self, file: TrackedFile) -> bool:
        """Tell whether a file was last written too long ago."""
        return file.modified_ns < self.since_ns

    def turn_again(self, file: TrackedFile) -> None:
        """Give a file another turn though nothing new was seen of it."""
        file.exhausted_at = -1
        self.turn_to(file)

    def next_turn(self) -> TrackedFile | None:
        """Return the file whose turn it is; the caller reads ``runs`` and then calls ``end_turn``."""
        while self._turns:
            file_id = next(iter(self._turns))
            del self._turns[file_id]
            file = self._catalog.files.get(file_id)
            if file is not None and file.has_turn:
                return file
        return None

    @property
    def has_turns(self) -> bool:
        """Tell whether a file waits for its turn."""
        return bool(self._turns)

    def begin_turn(self, file: TrackedFile, now: float) -> bool:
        """Tell whether a file is still the one that was read before. Raises ``UnreadableError``."""
        file.turn_offset = file.splitter.offset
        same = self._catalog.verify(file, self._probe, file.path)
        if same is None:
            self._tailer.read(file.path, file.inode, 0, 1)
            raise ReplacedError(file.path)
        if same:
            file.known_size = file.size
        else:
            self._catalog.doubt(file, file.path, now)
        return same

    def runs(self, file: TrackedFile) -> Iterator[Run]:
        """Yield the next lines of a file by the read, about a turn's bytes and at least one line.

        The splitter has to step over a run before the next is asked for; what it does not step over is read
        again. Raises ``UnreadableError``.
        """
        splitter = file.splitter
        start, end = splitter.offset, splitter.read_offset + TURN_BYTES
        size = min(file.next_read, READ_BYTES)
        while splitter.read_offset < end or (splitter.offset == start and not splitter.is_skipping):
            data = self._tailer.read(file.path, file.inode, splitter.read_offset, size)
            if not data:
                file.exhausted_at = splitter.read_offset
                if file.exhausted_at < file.size:
                    self._later[file.file_id] = ""
                return
            run = splitter.cut(data)
            if run is not None:
                yield run
            size = min(size * 4, READ_BYTES)

    def end_turn(self, file: TrackedFile) -> None:
        """Note where the turn ended; a file that has more gets another."""
        taken = file.splitter.offset - file.turn_offset
        file.next_read = max(_LEAST_READ_BYTES, taken + taken // 4)
        file.splitter.pause()
        self._catalog.note_read(file, self._probe)
        if file.file_id not in self._later:
            self.turn_to(file)

    def put_off(self, file: TrackedFile, reason: UnreadableError) -> None:
        """Let a file that cannot be read now have its next turn after the next look."""
        self._later[file.file_id] = "" if isinstance(reason, ReplacedError) else str(reason)
        self.end_turn(file)

    def torn_line(self, file: TrackedFile, now: float) -> Line | None:
        """Return the last line if it has no newline. Raises ``UnreadableError``."""
        if not file.torn or not self.begin_turn(file, now):
            return None
        for run in self.runs(file):
            file.splitter.step_over(run, 0)
            return None
        line = file.splitter.close_line()
        self._catalog.note_read(file, self._probe)
        return line

    def read(self, file: TrackedFile, offset: int, size: int) -> bytes:
        """Return exactly these bytes of a file. Raises ``UnreadableError``."""
        data = self._tailer.read(file.path, file.inode, offset, size)
        if len(data) < size:
            raise ReplacedError(f"{file.path} is shorter than it was")
        return data

    def head_of(self, file: TrackedFile, size: int) -> bytes:
        """Return the first bytes of a file, none where they cannot be read."""
        return self._probe.peek(file.path, file.inode, 0, size) or b""

    def renumber(self, file: TrackedFile, offset: int, mark: Fingerprint, last_time: int) -> TrackedFile:
        """Read a file again from an offset, under another id."""
        self._turns.pop(file.file_id, None)
        fresh = self._catalog.renumber(file, offset, mark, last_time)
        self.turn_to(fresh)
        return fresh

    def look_at_all(self) -> None:
        """Make the next look one at every folder and file."""
        self._discovery.expire()

    def is_unchanged(self, file: TrackedFile) -> bool:
        """Tell whether a file is on disk as it was last seen."""
        sighting = self._probe.look_again(file.path, file.inode)
        same = sighting is not None and (sighting.size, sighting.modified_ns) == (file.size, file.modified_ns)
        return same and self._catalog.verify(file, self._probe, file.path) is True

    def rename(self, file: TrackedFile, path: str) -> None:
        """Note that a file was moved to another path of the log folder."""
        file.path = path
        self._catalog.note_change(file)

    def give_up(self, file: TrackedFile) -> None:
        """Read nothing more of a file that is gone; it may come back."""
        file.gone = True
        self._catalog.note_change(file)
        self._turns.pop(file.file_id, None)
        self._later.pop(file.file_id, None)
        self._tailer.close(file.inode)

    def forget(self, file: TrackedFile) -> None:
        """Follow a file no more."""
        self.give_up(file)
        self._catalog.forget(file)

    def close(self) -> None:
        """Close every file."""
        self._tailer.close_all()

    def _place(self, sightings: Iterable[FileStat], now: float) -> list[Placed]:
        return self._catalog.place_all(sightings, self._probe, now)

    def _look_around(self, scan: Scan, now: float, wall: int) -> Look:
        self._catalog.drop_unseen(scan.changed, scan.unreadable, wall)
        placed = self._place([*self._catalog.unplaced.values(), *scan.changed], now)
        placed += self._catalog.resolve_doubts(self._probe, now, wall)
        placed += self._grown_without_name()
        vanished, self._catalog.vanished = [each for each in self._catalog.vanished if each[1]], []
        unreadable = self._newly_unreadable(scan)
        for file_id in self._later.keys() & self._catalog.files.keys():
            self.turn_to(self._catalog.files[file_id])
        self._later.clear()
        gone = self._catalog.newly_gone(wall, self._discovery.present)
        return Look(placed, gone, self._catalog.forgettable(wall), unreadable, vanished)

    def _grown_without_name(self) -> Iterator[Placed]:
        """Yield the open files that a writer appends to although their name is gone."""
        for file in self._catalog.lost.readable:
            if (size := self._tailer.size_of(file.inode) or 0) > file.size:
                file.size = size
                yield Placed(Found.SAME, file)

    def _newly_unreadable(self, scan: Scan) -> list[tuple[str, str]]:
        """Return what is to be told of paths that cannot be read, once for each time that it begins."""
        files = self._catalog.files
        self.unreadable = frozenset(each for each, why in self._later.items() if why)
        reasons = {files[each].path: why for each, why in self._later.items() if why and each in files}
        self.closed_bytes = 0
        for each in self._catalog.unplaced.values():
            if each.path.endswith(SUFFIX) and (reason := self._reason(each)):
                reasons[each.path] = reason
                self.closed_bytes += each.size
        reasons |= scan.unreadable
        self.closed_paths, told, self._told = reasons, self._told, set(reasons)
        return [(path, reason) for path, reason in reasons.items() if path not in told]

    def _reason(self, sighting: FileStat) -> str:
        try:
            self._tailer.read(sighting.path, sighting.inode, 0, 1)
        except UnreadableError as exc:
            return "" if isinstance(exc, ReplacedError) else str(exc)
        return ""


class _TailerProbe:
    """What the catalog sees of files, through the tailer."""

    def __init__(self, tailer: Tailer) -> None:
        self._tailer = tailer

    def peek(self, path: str, inode: Inode, offset: int, size: int) -> bytes | None:
        if not size:
            return b""
        try:
            return self._tailer.read(path, inode, offset, size)
        except UnreadableError:
            return None

    def look_again(self, path: str, inode: Inode) -> FileStat | None:
        try:
            return self._tailer.look_again(path, inode)
        except UnreadableError:
            return None
