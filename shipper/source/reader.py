"""Everything that is read from the log folder: which files there are, and the lines of each in turn."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shipper.entry import FileMemory, Line, Print, Span
from shipper.source.catalog import Catalog, Followed, Found
from shipper.source.discovery import Discovery
from shipper.source.fingerprint import mark_start, print_of
from shipper.source.tailer import ReplacedError, Tailer, UnreadableError

# One read: large enough for few system calls, small beside the memory budget.
READ_BYTES = 512 * 1024
# One turn of a file before the next file has its own.
TURN_BYTES = 1 << 20
# The rest of a torn line is kept up to this; of a longer one the file is read again when it grows.
_TORN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """What a look has found: files seen, files gone, and what cannot be read with the reason."""

    seen: list[tuple[Found, Followed]]
    gone: list[Followed]
    unreadable: tuple[tuple[str, str], ...]


class Reader:
    """The files of one log folder. ``largest`` is the longest line that is held in memory, in bytes."""

    def __init__(
        self, root: Path, state: Path, memories: Iterable[FileMemory], next_id: int, largest: int
    ) -> None:
        self._discovery = Discovery(root, excluded=[state])
        self._tailer = Tailer()
        self.catalog = Catalog(memories, next_id, largest)
        self._turns: dict[int, None] = {}
        self._failed: set[int] = set()

    @property
    def next_look(self) -> float:
        """When the next look is due, on the monotonic clock."""
        return self._discovery.next_scan

    @property
    def open_files(self) -> int:
        """How many descriptors are open."""
        return self._tailer.open_files

    def look(self, named: set[str], now: float, wall: float) -> Look:
        """Look at the files that events named, and at all that are due."""
        sightings = [each for path in named if (each := self._discovery.look(path, wall)) is not None]
        gone: list[Followed] = []
        unreadable: tuple[tuple[str, str], ...] = ()
        if now >= self.next_look:
            scan = self._discovery.scan(now, wall)
            sightings += scan.changed
            unreadable = scan.unreadable
            if scan.names_changed and not unreadable:
                gone = self.catalog.missing(self._discovery.present(), now)
            self._turns.update(dict.fromkeys(self._failed & self.catalog.files.keys()))
        placed = self.catalog.place_all(sightings, self._peek, now)
        for _, file, _ in placed:
            if file is not None:
                self.turn_to(file)
        return Look([(found, file) for found, file, _ in placed if file is not None], gone, unreadable)

    def turn_to(self, file: Followed) -> None:
        """Give a file a turn, if it has bytes that were not looked at."""
        if file.size > file.exhausted_at and file.shrunk_since is None:
            self._turns[file.file_id] = None

    def next_turn(self) -> Followed | None:
        """Return the file whose turn it is; the caller reads ``lines`` and then calls ``end_turn``."""
        while self._turns:
            file_id = next(iter(self._turns))
            del self._turns[file_id]
            file = self.catalog.files.get(file_id)
            if file is not None:
                return file
        return None

    @property
    def has_turns(self) -> bool:
        """Tell whether a file waits for its turn."""
        return bool(self._turns)

    def lines(self, file: Followed) -> Iterator[Line]:
        """Yield the next lines of a file, about a turn's bytes. Raises ``UnreadableError``.

        Left early, the file's splitter has to be rewound.
        """
        end = file.splitter.read_offset + TURN_BYTES
        while file.splitter.read_offset < end:
            try:
                data = self._tailer.read(file.path, file.inode, file.splitter.read_offset, READ_BYTES)
            except ReplacedError:
                data = b""
            if not data:
                file.size = file.exhausted_at = max(file.size, file.splitter.read_offset)
                return
            yield from file.splitter.feed(data)

    def verify(self, file: Followed) -> bool | None:
        """Tell whether a file is still the one that was read before; None where that cannot be seen now."""
        return self.catalog.verify(file, self._peek)

    def end_turn(self, file: Followed, *, waits: bool) -> None:
        """Note where the turn ended; a file that does not wait for a window gets another if it has more."""
        if file.splitter.held_bytes > _TORN_BYTES and file.exhausted_at >= file.size:
            file.splitter.rewind(file.splitter.offset)
        file.mark = self.mark_at(file, file.splitter.offset)
        self._failed.discard(file.file_id)
        if not waits:
            self.turn_to(file)

    def failed_turn(self, file: Followed) -> bool:
        """Let an unreadable file have its next turn at the next look; tell whether this is new."""
        new = file.file_id not in self._failed
        self._failed.add(file.file_id)
        return new

    def mark_at(self, file: Followed, offset: int) -> Print:
        """Return the print of the bytes just before an offset; out of reach, it is one that fits all."""
        start = mark_start(offset)
        data = self._peek(file.path, file.inode, start, offset - start)
        return print_of(data or b"")

    def torn_line(self, file: Followed) -> Line | None:
        """Return a last line that has no newline; None where there is none or it cannot be read."""
        if not file.torn:
            return None
        start = file.splitter.offset
        content = self._peek(file.path, file.inode, start, file.torn)
        if not content:
            return None
        file.splitter.rewind(start + len(content))
        return Line(Span(file.file_id, start, start + len(content)), content)

    def read_anew(self, file: Followed, now: float) -> Followed:
        """Read what now stands in a file's place from its start, as another file."""
        fresh = self.catalog.rewrite(file, now)
        fresh.size = file.size
        self.turn_to(fresh)
        return fresh

    def renumber(self, file: Followed, offset: int, last_time: int) -> Followed:
        """Read a file again from an offset, under another id."""
        fresh = self.catalog.renumber(file, offset, last_time)
        self.turn_to(fresh)
        return fresh

    def look_at_all(self) -> None:
        """Make the next look one at every folder and file."""
        self._discovery.expire()

    def content(self, file: Followed, span: Span) -> bytes:
        """Return the bytes of a line that was too long to be held, without its newline."""
        return self._tailer.read(file.path, file.inode, span.start, span.end - span.start - 1)

    def head_of(self, file: Followed, size: int) -> bytes:
        """Return the first bytes of a file, none where they cannot be read."""
        return self._peek(file.path, file.inode, 0, size) or b""

    def forget(self, file: Followed) -> None:
        """Follow a file no more."""
        self.catalog.forget(file)
        self._turns.pop(file.file_id, None)
        self._failed.discard(file.file_id)
        self._tailer.close(file.inode)

    def close(self) -> None:
        """Close every file."""
        self._tailer.close_all()

    def _peek(self, path: str, inode: tuple[int, int], offset: int, size: int) -> bytes | None:
        try:
            return self._tailer.read(path, inode, offset, size)
        except (ReplacedError, UnreadableError):
            return None
