"""From the folder to entries: look, read in windows of record time, label."""

from collections.abc import Callable, Iterable

from shipper.budget import Budget
from shipper.checkpoint.tracker import Tracker
from shipper.config import ShipperSettings
from shipper.entry import DropReason, Entry, FileMemory, Line
from shipper.metrics import Metrics
from shipper.record.content import Content
from shipper.record.entries import Entries, Labelling, entries_of
from shipper.record.envelope import envelope_of
from shipper.record.moment import time_of
from shipper.record.origin import HEAD_BYTES, origin_of, provider_in_head
from shipper.reporter import Event, Reporter
from shipper.source.catalog import Followed, Found
from shipper.source.reader import Reader
from shipper.source.tailer import UnreadableError
from shipper.source.window import Window

# A longer line is held by its offsets only, and read when its turn comes.
LARGEST_HELD = 4 << 20
# Turns of files between two looks at what came back from Loki.
_TURNS_A_STEP = 4
_FOUND = {Found.NEW: Event.FILE_NEW, Found.MOVED: Event.FILE_MOVED, Found.REWRITTEN: Event.FILE_REWRITTEN}


class Intake:
    """The files of the log folder, and how far each has been read; entries leave through ``emit``."""

    def __init__(
        self,
        settings: ShipperSettings,
        reporter: Reporter,
        metrics: Metrics,
        *,
        tracker: Tracker,
        budget: Budget,
        emit: Callable[[Entry], None],
        memories: Iterable[FileMemory],
        next_id: int,
    ) -> None:
        self._reporter = reporter
        self._metrics = metrics
        self._tracker = tracker
        self._budget = budget
        self._emit = emit
        self._window = Window()
        loki = settings.loki
        self._labelling = Labelling(loki.environment, loki.labels, settings.shipper.max_line_bytes)
        self._providers: dict[int, str] = {}
        self._unfinished: dict[int, tuple[Entries, int]] = {}
        folder, state = settings.log_folder, settings.state_folder
        self.reader = Reader(folder, state, memories, next_id, LARGEST_HELD)
        self.changed = False

    @property
    def files(self) -> Iterable[Followed]:
        """All followed files."""
        return self.reader.catalog.files.values()

    @property
    def paused(self) -> bool:
        """Tell whether nothing more can be read before something is settled."""
        ended = bool(self._window.waiting) and not self.reader.has_turns
        return ended or not self._budget.has_room

    @property
    def ready(self) -> bool:
        """Tell whether a file can be read on at once."""
        return self.reader.has_turns and self._budget.has_room

    @property
    def exhausted(self) -> bool:
        """Tell whether every complete line that was found has been taken."""
        return not (self.reader.has_turns or self._window.waiting)

    @property
    def oldest_waiting(self) -> int | None:
        """The time of the oldest line that waits for a later window, in nanoseconds."""
        return min(self._window.waiting.values(), default=None)

    def look(self, named: set[str], now: float, wall: float) -> bool:
        """See what is new in the folder, and tell whether anything is."""
        look = self.reader.look(named, now, wall)
        for found, file in look.seen:
            if found in {Found.NEW, Found.REWRITTEN}:
                self._tracker.open(file.file_id, 0)
                self.changed = True
            if found in _FOUND:
                self._reporter.report(_FOUND[found], quiet=found is Found.NEW, file=file.path)
        for file in look.gone:
            self._forget(file)
        for path, reason in look.unreadable:
            self._reporter.report(Event.FILE_UNREADABLE, file=path, reason=reason)
        return bool(look.seen or look.gone)

    def read(self, now: float, wall: float) -> None:
        """Read on where there is room, some turns at a time."""
        for _ in range(_TURNS_A_STEP):
            file = self.reader.next_turn() if self._budget.has_room else None
            if file is None:
                break
            self._read_turn(file, now, wall)
        if self.reader.has_turns or self._budget.held_entries:
            return
        for file_id in self._window.open_next(int(wall * 1e9)):
            self.reader.turn_to(self.reader.catalog.files[file_id])

    def ship_torn(self, wall: float) -> None:
        """Take last lines without a newline as they are: nobody is left to finish them."""
        for file in list(self.files):
            line = self.reader.torn_line(file)
            if line is not None:
                self._take_lines(file, [line], wall)

    def relimit(self, limit: int, file_ids: Iterable[int]) -> None:
        """Split lines to another limit from now on, and read what is unsettled of these files again."""
        self._labelling = Labelling(self._labelling.environment, self._labelling.static, limit)
        self._reporter.report(Event.LINE_LIMIT, limit=limit)
        for file_id in set(file_ids) & self.reader.catalog.files.keys():
            file = self.reader.catalog.files[file_id]
            offset, time = self._tracker.offset(file_id), self._tracker.time(file_id)
            self._close(file)
            fresh = self.reader.renumber(file, offset, time)
            self._tracker.open(fresh.file_id, offset, time=time)

    @property
    def line_limit(self) -> int:
        """The longest line that Loki takes, as far as known, in bytes."""
        return self._labelling.most

    def path_of(self, file_id: int) -> str:
        """Return a file's path; empty when it is followed no more."""
        file = self.reader.catalog.files.get(file_id)
        return file.path if file else ""

    def _read_turn(self, file: Followed, now: float, wall: float) -> None:
        match self.reader.verify(file):
            case True:
                self._take_lines(file, self.reader.lines(file), wall)
            case False:
                fresh = self.reader.read_anew(file, now)
                self._tracker.open(fresh.file_id, 0)
                self._reporter.report(Event.FILE_REWRITTEN, file=file.path)
            case None:
                self._cannot_read(file, "its first or last bytes are out of reach")

    def _take_lines(self, file: Followed, lines: Iterable[Line], wall: float) -> None:
        waits = False
        try:
            if self._emit_rest(file):
                waits = not self._take_each(file, lines, int(wall * 1e9))
        except UnreadableError as exc:
            self._cannot_read(file, str(exc))
            return
        self.reader.end_turn(file, waits=waits)

    def _take_each(self, file: Followed, lines: Iterable[Line], wall_ns: int) -> bool:
        """Take lines until there is no room for one; False when one has to wait for a later window."""
        for line in lines:
            try:
                taken = self._take(file, line, wall_ns)
            except UnreadableError:
                file.splitter.rewind(line.span.start)
                raise
            if not taken:
                file.splitter.rewind(line.span.start)
                return False
            if not self._emit_rest(file):
                file.splitter.rewind(line.span.end)
                break
        return True

    def _take(self, file: Followed, line: Line, wall_ns: int) -> bool:
        """Turn a line into entries; False where it has to wait for a later window."""
        content = self._content(file, line)
        if content.held is not None and not content.held.strip():
            self._tracker.begin(line.span, 0, file.last_time)
            self.changed = True
            return True
        envelope = envelope_of(content)
        time = time_of(envelope.told("ts"), file.last_time, file.path, wall_ns)
        if not self._window.admits(time):
            self._window.block(file.file_id, time)
            return False
        origin = origin_of(envelope, self._provider(file), file.path)
        entries = entries_of(
            line.span, content, envelope, origin=origin, timestamp=time, labelling=self._labelling
        )
        file.last_time = time
        self._metrics.lines_read += 1
        self._metrics.bytes_read += content.size + 1
        resumed = line.span.start == self._tracker.offset(file.file_id)
        first = self._tracker.parts_done(file.file_id) if resumed else 0
        self._tracker.begin(line.span, entries.count, time)
        self._unfinished[file.file_id] = entries, first
        return True

    def _content(self, file: Followed, line: Line) -> Content:
        """Return a line's bytes; those of a long one are read again when its turn comes."""
        size = line.span.end - line.span.start - 1 if line.content is None else len(line.content)

        def read(offset: int, size: int) -> bytes:
            return self.reader.read(file, line.span.start + offset, size)

        return Content(size, read, line.content)

    def _emit_rest(self, file: Followed) -> bool:
        """Emit what is left of the line taken last; False where there is no room for all of it.

        Later lines of the file wait for it, so that no more than one line is cut at a time.
        """
        if file.file_id not in self._unfinished:
            return True
        entries, first = self._unfinished[file.file_id]
        for part in range(first, entries.count):
            if part and not self._budget.has_room:
                return False
            self._emit(entries.entry(part))
            self._unfinished[file.file_id] = entries, part + 1
        del self._unfinished[file.file_id]
        return True

    def _provider(self, file: Followed) -> str:
        """Return the provider that a file's first line names, for its lines that name none."""
        if file.file_id not in self._providers:
            self._providers[file.file_id] = provider_in_head(self.reader.head_of(file, HEAD_BYTES))
        return self._providers[file.file_id]

    def _forget(self, file: Followed) -> None:
        if file.unread:
            self._metrics.dropped[DropReason.FILE_GONE] += 1
            self._reporter.report(Event.FILE_GONE, file=file.path, bytes=file.unread)
        self._close(file)
        self.reader.forget(file)

    def _close(self, file: Followed) -> None:
        self._tracker.close(file.file_id)
        self._window.forget(file.file_id)
        self._providers.pop(file.file_id, None)
        self._unfinished.pop(file.file_id, None)
        self.changed = True

    def _cannot_read(self, file: Followed, reason: str) -> None:
        new = self.reader.failed_turn(file)
        self._reporter.report(Event.FILE_UNREADABLE, quiet=not new, file=file.path, reason=reason)
