"""Everything that is read from the log folder: which files there are, and the lines of each in turn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shipper.entry import FileMemory, Line, Print, Span
from shipper.source.catalog import Catalog, Placed
from shipper.source.discovery import Discovery, Scan
from shipper.source.followed import Followed
from shipper.source.sighting import Inode, Sighting
from shipper.source.tailer import ReplacedError, Tailer, UnreadableError

# One read: large enough for few system calls, small beside the memory budget.
READ_BYTES = 512 * 1024
# One turn of a file before the next file has its own.
TURN_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found: files placed, files gone for good, and paths newly unreadable with the reason."""

    placed: list[Placed]
    gone: list[Followed]
    forgotten: list[Followed]
    unreadable: list[tuple[str, str]]


class Reader:
    """The files of one log folder. ``largest`` is the longest line that is held in memory, in bytes."""

    def __init__(
        self, root: Path, state: Path, memories: Iterable[FileMemory], next_id: int, largest: int
    ) -> None:
        self.discovery = Discovery(root, excluded=[state])
        self._tailer = Tailer()
        self._eyes = _TailerEyes(self._tailer)
        self.catalog = Catalog(memories, next_id, largest)
        self._largest = largest
        self._turns: dict[int, None] = {}
        self._later: dict[int, None] = {}
        self._unreadable: set[str] = set()

    @property
    def next_look(self) -> float:
        """When the next look is due, on the monotonic clock."""
        return self.discovery.next_scan

    @property
    def open_files(self) -> int:
        """How many descriptors are open."""
        return self._tailer.open_files

    def look(self, named: Iterable[str], now: float, wall: float) -> Look:
        """Look at the files that events named, and at all that are due."""
        due = now >= self.next_look
        scan = self.discovery.scan(named, now, wall)
        self.catalog.drop(scan.dropped, int(wall))
        if not due:
            return self._noted(self.catalog.place_all(scan.changed, self._eyes, now), [], [], scan)
        self.catalog.drop_unseen(scan.changed, scan.unreadable, int(wall))
        sightings = [*self.catalog.unplaced.values(), *scan.changed]
        placed = self.catalog.place_all(sightings, self._eyes, now)
        placed += self.catalog.settle_doubts(self._eyes, now, int(wall))
        gone = self.catalog.newly_gone(int(wall), self.discovery.present)
        self._turns.update(self._later)
        self._later.clear()
        return self._noted(placed, gone, self.catalog.forgettable(int(wall)), scan)

    def turn_to(self, file: Followed) -> None:
        """Give a file a turn, if there is something new to read of it."""
        if file.has_turn:
            self._turns[file.file_id] = None

    def next_turn(self) -> Followed | None:
        """Return the file whose turn it is; the caller reads ``lines`` and then calls ``end_turn``."""
        while self._turns:
            file_id = next(iter(self._turns))
            del self._turns[file_id]
            file = self.catalog.files.get(file_id)
            if file is not None and file.has_turn:
                return file
        return None

    @property
    def has_turns(self) -> bool:
        """Tell whether a file waits for its turn."""
        return bool(self._turns)

    def begin_turn(self, file: Followed, now: float) -> bool:
        """Tell whether a file is still the one that was read before. Raises ``UnreadableError``."""
        same = self.catalog.verify(file, self._eyes, file.path)
        if same is None:
            self._tailer.read(file.path, file.inode, 0, 1)
            raise ReplacedError(file.path)
        if not same:
            self.catalog.doubt(file, file.path, now)
        return same

    def lines(self, file: Followed) -> Iterator[Line]:
        """Yield the next lines of a file, about a turn's bytes and at least one. Raises ``UnreadableError``.

        Left early, the line that was yielded last is read again, unless it is stepped over.
        """
        splitter = file.splitter
        start, end = splitter.offset, splitter.read_offset + TURN_BYTES
        while splitter.read_offset < end or (splitter.offset == start and not splitter.is_skipping):
            data = self._tailer.read(file.path, file.inode, splitter.read_offset, READ_BYTES)
            if not data:
                file.exhausted_at = splitter.read_offset
                return
            yield from splitter.feed(data)

    def end_turn(self, file: Followed) -> None:
        """Note where the turn ended; a file that has more gets another."""
        file.splitter.pause()
        file.note_mark()
        if file.exhausted_at >= file.size or file.splitter.read_offset < file.exhausted_at:
            return
        self.turn_to(file)

    def put_off(self, file: Followed) -> bool:
        """Let an unreadable file have its next turn after the next look; tell whether this is new."""
        self.end_turn(file)
        self._turns.pop(file.file_id, None)
        self._later[file.file_id] = None
        new = file.path not in self._unreadable
        self._unreadable.add(file.path)
        return new

    def torn_line(self, file: Followed) -> Line | None:
        """Return a last line that has no newline; None where there is none or it cannot be read."""
        if not file.torn:
            return None
        content = self._eyes.peek(file.path, file.inode, file.splitter.offset, file.torn)
        return file.splitter.close_line(content) if content else None

    def content(self, file: Followed, span: Span) -> bytes:
        """Return the bytes of a line that was too long to be held, without its newline.

        Raises ``UnreadableError``.
        """
        size = span.end - span.start
        data = self._tailer.read(file.path, file.inode, span.start, size)
        if len(data) < size:
            raise ReplacedError(f"{file.path} is shorter than it was")
        return data.removesuffix(b"\n")

    def head_of(self, file: Followed, size: int) -> bytes:
        """Return the first bytes of a file, none where they cannot be read."""
        return self._eyes.peek(file.path, file.inode, 0, size) or b""

    def renumber(self, file: Followed, offset: int, mark: Print, last_time: int) -> Followed:
        """Read a file again from an offset, under another id."""
        self._turns.pop(file.file_id, None)
        fresh = self.catalog.renumber(file, offset, mark, last_time)
        self.turn_to(fresh)
        return fresh

    def look_at_all(self) -> None:
        """Make the next look one at every folder and file."""
        self.discovery.expire()

    def give_up(self, file: Followed) -> None:
        """Read nothing more of a file that is gone; it may come back."""
        file.gone = True
        self._turns.pop(file.file_id, None)
        self._later.pop(file.file_id, None)
        self._tailer.close(file.inode)

    def forget(self, file: Followed) -> None:
        """Follow a file no more."""
        self.give_up(file)
        self.catalog.forget(file)

    def close(self) -> None:
        """Close every file."""
        self._tailer.close_all()

    def _noted(
        self, placed: list[Placed], gone: list[Followed], forgotten: list[Followed], scan: Scan
    ) -> Look:
        for _, file in placed:
            self.turn_to(file)
        ...
        return Look(placed, gone, forgotten, [])


class _TailerEyes:
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

    def look_again(self, path: str, inode: Inode) -> Sighting | None:
        try:
            return self._tailer.look_again(path, inode)
        except UnreadableError:
            return None
