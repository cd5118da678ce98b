"""From the folder to entries: look, read in windows of record time, remember."""

from collections.abc import Callable, Iterable, Sequence

from shipper.checkpoint.progress import Position
from shipper.checkpoint.store import CheckpointStore
from shipper.checkpoint.tracker import Tracker
from shipper.config import ShipperSettings
from shipper.entry import Entry, FileMemory, Span
from shipper.pipeline.budget import Budget
from shipper.pipeline.composer import Composer, Taken
from shipper.pipeline.window import Window
from shipper.record.timestamp import FAR_AHEAD_NS
from shipper.source.catalog import Catalog
from shipper.source.followed import Found, Lag, TrackedFile
from shipper.source.open_files import UnreadableError
from shipper.source.reader import Reader
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics

# Turns of files between two looks at what came back from Loki.
_TURNS_A_STEP = 4
_FOUND = {Found.NEW: Event.FILE_NEW, Found.MOVED: Event.FILE_MOVED, Found.REWRITTEN: Event.FILE_REWRITTEN}


class Intake:
    """The files of the log folder, and how far each has been read.

    Entries leave through ``emit``; ``lose`` is told the path and the bytes of a file that went unread, and
    ``reject`` the path and number of lines that Loki rejects for certain, with an entry for all of them.
    """

    def __init__(
        self,
        settings: ShipperSettings,
        reporter: Reporter,
        metrics: Metrics,
        *,
        tracker: Tracker,
        budget: Budget,
        emit: Callable[[Sequence[Entry]], None],
        lose: Callable[[str, Span], None],
        reject: Callable[[str, Entry, int], None],
        reader: Reader,
        catalog: Catalog,
        memories: Iterable[FileMemory],
    ) -> None:
        self._reporter = reporter
        self._tracker = tracker
        self._budget = budget
        self._lose = lose
        self.window = Window()
        self._reader = reader
        self._catalog = catalog
        self._files = catalog.files
        self._composer = Composer(
            settings.loki,
            metrics,
            line_limit=settings.shipper.max_line_bytes,
            reader=reader,
            window=self.window,
            tracker=tracker,
            budget=budget,
            emit=emit,
            reject=reject,
        )
        self._behind: set[int] = set()
        self._timeless: set[int] = set()
        self._closed = 0
        self._window_is_over = False
        self._restore(memories)

    @property
    def files(self) -> Iterable[TrackedFile]:
        """All followed files."""
        return self._files.values()

    @property
    def paused(self) -> bool:
        """Tell whether nothing more can be read before something is settled."""
        return self._window_is_over or not self._budget.has_room

    @property
    def has_more(self) -> bool:
        """Tell whether lines that Loki may take can be read at once."""
        return (self._reader.has_turns or self._composer.has_recut) and self._budget.has_room

    @property
    def ready(self) -> bool:
        """Tell whether a file can be read on at once."""
        old = self.window.has_old and not self._window_is_over and self._budget.has_room
        return self.has_more or old

    @property
    def exhausted(self) -> bool:
        """Tell whether every complete line that was found has been taken."""
        waits = self.window.earliest or self._timeless or self.window.has_old
        return not (self._reader.has_turns or waits or self._composer.has_recut)

    @property
    def has_news(self) -> bool:
        """Tell whether something has to be remembered that ``remember`` has not yet been called for."""
        return self._catalog.has_changed or self._tracker.has_moved

    @property
    def line_limit(self) -> int:
        """The longest line that Loki takes, as far as known, in bytes."""
        return self._composer.line_limit

    @property
    def lag(self) -> Lag:
        """What is left to do; walks only the files that are behind."""
        unsettled, torn = self._reader.closed_bytes, 0
        for file_id in list(self._behind):
            file = self._files.get(file_id)
            if file is None or file.size <= (offset := self._tracker.offset(file_id)) or file.gone:
                self._behind.discard(file_id)
            elif not self._reader.leaves_out(file):
                unsettled += file.size - file.torn - offset
                torn += file.torn
        return Lag(unsettled, torn)

    def path_of(self, file_id: int) -> str:
        """Return a file's path; empty when it is followed no more."""
        file = self._files.get(file_id)
        return file.path if file else ""

    def look(self, named: Iterable[str], now: float, wall: float) -> bool:
        """See what is new in the folder, and tell whether anything is."""
        look = self._reader.look(named, now, wall)
        for found, file in look.placed:
            if found in {Found.NEW, Found.REWRITTEN}:
                self._tracker.open(file.file_id)
            self._behind.add(file.file_id)
            if found in _FOUND:
                self._reporter.report(_FOUND[found], quiet=found is Found.NEW, file=file.path)
        for file in look.gone:
            self._give_up(file)
        for file in look.forgettable:
            self.forget(file)
        for path, size in look.vanished:
            self._reporter.report(Event.FILE_GONE, file=path, bytes=size)
            self._lose(path, Span(0, 0, size))
        if look.unreadable:
            path, reason = look.unreadable[0]
            count = len(self._reader.closed_paths)
            self._reporter.report(
                Event.FILE_UNREADABLE, times=len(look.unreadable), file=path, reason=reason, count=count
            )
        closed_before, self._closed = self._closed, len(self._reader.closed_paths)
        return bool(look.placed or look.gone or look.vanished or self._closed != closed_before)

    def read(self, now: float, wall: float, set_aside: int = 0, latest: int | None = None) -> None:
        """Read on where there is room, some turns at a time; ``wall`` is Loki's time.

        Of entries that are ``set_aside`` the window waits for none, but for all others while there are any.
        What is stamped after ``latest``, in nanoseconds, has no time; an hour ahead of ``wall`` without it.
        """
        wall_ns = int(wall * 1e9)
        before, latest = self._composer.latest, wall_ns + FAR_AHEAD_NS if latest is None else latest
        self._composer.latest = latest
        for file_id in self.window.release_after(latest) if latest < before else ():
            self._release(file_id)
        self._composer.emit_recut()
        for _ in range(_TURNS_A_STEP):
            file = self._next_turn(wall_ns) if self._budget.has_room else None
            if file is None:
                break
            self._read_turn(file, now, wall_ns)
        self._window_is_over = not self._reader.has_turns and self.window.has_next(wall_ns)
        is_settled = self._budget.held_entries <= set_aside
        if self._window_is_over and (is_settled or not set_aside):
            oldest = None if is_settled else self._tracker.oldest()
            for file_id in self.window.move_on(wall_ns, oldest):
                self._release(file_id)

    def ship_torn(self, now: float, wall: float) -> None:
        """Take last lines without a newline as they are: nobody is left to finish them."""
        for file in [self._files[each] for each in self._behind & self._files.keys()]:
            file.first_seen = file.first_seen or int(wall * 1e9)
            try:
                line = self._reader.torn_line(file, now)
                if line is not None:
                    self._composer.take(file, line, early=True)
                    self._reader.turn_again(file)
            except UnreadableError as exc:
                self._reader.put_off(file, exc)

    def relimit(self, limit: int, entry: Entry) -> int:
        """Cut lines to another limit from now on, and the line of an entry that was too long for it again.

        If that was a part, of which others may be under way, all that is unsettled of its file is read again.
        Returns how many entries go again as they were, though Loki may have them or be about to.
        """
        if limit != self.line_limit:
            self._composer.line_limit = limit
            self._reporter.report(Event.LINE_LIMIT, limit=limit)
        file_id = entry.span.file_id
        file = self._files.get(file_id)
        if file is None or self._composer.recut(file, entry):
            return 0
        again = self._tracker.whole_lines(file_id)
        position = self._tracker.position(file_id)
        self._close(file)
        fresh = self._reader.renumber(file, position.offset, position.mark, position.time)
        self._tracker.open(fresh.file_id, Position(position.offset, position.mark, position.time))
        self._behind.add(fresh.file_id)
        return again

    def has_settled(self, file: TrackedFile) -> bool:
        """Tell whether all that was seen of a file is settled."""
        return self._tracker.offset(file.file_id) >= file.size and not self._tracker.is_busy(file.file_id)

    def forget(self, file: TrackedFile) -> None:
        """Follow a file no more."""
        self._close(file)
        self._reader.forget(file)

    def remember(self, store: CheckpointStore) -> None:
        """Hand to the checkpoint what has changed since the last time."""
        for file_id in self._catalog.take_changed() | self._tracker.take_moved():
            file = self._files.get(file_id)
            if file is None:
                store.drop(file_id)
            else:
                store.put(self._memory_of(file))

    def saved(self) -> None:
        """Let lines go on that have waited for a checkpoint."""
        timeless, self._timeless = self._timeless, set()
        for file_id in timeless:
            self._release(file_id)

    def _restore(self, memories: Iterable[FileMemory]) -> None:
        for each in memories:
            parts_done = each.parts_done if each.line_limit == self.line_limit else 0
            position = Position(each.offset, each.mark, each.last_time, parts_done)
            self._tracker.open(each.file_id, position)
            self._behind.add(each.file_id)

    def _next_turn(self, wall_ns: int) -> TrackedFile | None:
        """Return the next file to read; one whose next lines are too old only where no other waits."""
        file = self._reader.next_turn()
        self._composer.takes_old = file is None and not self.window.has_next(wall_ns)
        while self._composer.takes_old and file is None and self.window.has_old:
            file = self._files.get(self.window.next_old())
        return file

    def _read_turn(self, file: TrackedFile, now: float, wall_ns: int) -> None:
        file.waits = False
        try:
            if self._reader.begin_turn(file, now) and self._composer.finish(file):
                taken = self._composer.take_runs(file, self._reader.runs(file))
                if taken is Taken.BEGUN and self._composer.takes_old and file.has_turn:
                    taken = Taken.TOO_OLD
                if taken is not Taken.BEGUN:
                    self._wait(file, taken, wall_ns)
        except UnreadableError as exc:
            self._reader.put_off(file, exc)
        else:
            self._reader.end_turn(file)

    def _wait(self, file: TrackedFile, taken: Taken, wall_ns: int) -> None:
        file.waits = True
        if taken is Taken.TOO_OLD:
            self.window.put_last(file.file_id)
        elif taken is Taken.TIMELESS:
            file.first_seen = wall_ns
            self._timeless.add(file.file_id)
            self._catalog.note_change(file)

    def _release(self, file_id: int) -> None:
        file = self._files.get(file_id)
        if file is not None:
            file.waits = False
            self._reader.turn_to(file)

    def _give_up(self, file: TrackedFile) -> None:
        """Count what a file that is gone has taken along; what is under way of it still settles."""
        unfinished = self._composer.unfinished_at(file.file_id)
        start = file.splitter.offset if unfinished is None else unfinished
        end = max(file.size, file.splitter.offset)
        if start < end:
            self._reporter.report(Event.FILE_GONE, file=file.path, bytes=end - start)
            self._lose(file.path, Span(file.file_id, start, end))
        self.window.forget(file.file_id)
        self._composer.forget(file.file_id)
        file.waits = False
        self._reader.give_up(file)

    def _close(self, file: TrackedFile) -> None:
        self._tracker.close(file.file_id)
        self.window.forget(file.file_id)
        self._composer.forget(file.file_id)
        self._timeless.discard(file.file_id)

    def _memory_of(self, file: TrackedFile) -> FileMemory:
        told = self._tracker.position(file.file_id)
        place = file.file_id, file.path, *file.inode, file.head
        settled = told.offset, told.mark, told.parts_done, self.line_limit, told.time
        return FileMemory(*place, *settled, file.size, file.first_seen, file.lost_at, file.gone)
