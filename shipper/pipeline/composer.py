"""From lines to entries that leave: which time a line has, and whether it is its turn."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from itertools import takewhile
from typing import Any, cast

from shipper.checkpoint.progress import Range
from shipper.checkpoint.tracker import Tracker
from shipper.config import LokiSettings
from shipper.entry import Entry, Line, Span
from shipper.pipeline.budget import Budget
from shipper.pipeline.window import Window
from shipper.record.content import Content, content_in_memory
from shipper.record.entries import Entries, Labelling, entries_of, ordinary_entries, times_before
from shipper.record.envelope import Envelope, envelope_of, envelope_of_record
from shipper.record.partial_json import beginnings_of
from shipper.record.provider import HEAD_BYTES, Origin, origin_of, provider_in_head
from shipper.record.timestamp import FAR_AHEAD_NS, time_of
from shipper.source.followed import TrackedFile
from shipper.source.reader import Reader
from shipper.source.splitter import Run
from shipper.telemetry.metrics import Metrics

# A longer line is held by its offsets only, and read in blocks.
_LARGEST_HELD = 4 << 20
# So many lines are begun at once, each with about a kilobyte of objects.
_LINES_A_RUN = 1000


class Taken(Enum):
    """What became of a line."""

    BEGUN = auto()
    """Its entries are ready for ``finish``; it may have none."""
    EARLY = auto()
    """It waits for a later window; nothing of it has left."""
    TIMELESS = auto()
    """It has no time but the moment when it was first seen, which has to be remembered before it leaves."""
    TOO_OLD = auto()
    """Loki rejects it for certain: it waits until all others are read."""


class Composer:
    """Turns lines into entries, which leave through ``emit``. ``line_limit`` is Loki's, in bytes.

    What is stamped after ``latest``, in nanoseconds, has no time.
    """

    def __init__(
        self,
        settings: LokiSettings,
        metrics: Metrics,
        *,
        line_limit: int,
        reader: Reader,
        window: Window,
        tracker: Tracker,
        budget: Budget,
        emit: Callable[[Sequence[Entry]], None],
        reject: Callable[[str, Entry, int], None],
    ) -> None:
        self._metrics = metrics
        self._reject = reject
        self._reader = reader
        self._window = window
        self._tracker = tracker
        self._budget = budget
        self._emit = emit
        self._labelling = Labelling(
            settings.environment, settings.labels, line_limit, quotes=settings.encoding == "json"
        )
        self.latest, self.takes_old = 0, False
        self._providers: dict[int, str] = {}
        self._unfinished: dict[int, tuple[Entries, int]] = {}
        self._recut: deque[Iterator[Entry]] = deque()

    @property
    def line_limit(self) -> int:
        """The longest line that Loki takes, as far as known, in bytes."""
        return self._labelling.most

    @line_limit.setter
    def line_limit(self, limit: int) -> None:
        self._labelling = replace(self._labelling, most=limit)

    def take(self, file: TrackedFile, line: Line, *, early: bool = False) -> Taken:
        """Turn the next line of a file into entries; an ``early`` one does not wait for its window.

        Raises ``UnreadableError``; then nothing has happened to the line.
        """
        content = self._content(file, line)
        if content.held is not None and not content.held.strip(b"\r"):
            self._tracker.begin(line.span, 0, file.last_time, line.tail)
            return Taken.BEGUN
        # One pass for both: the head of a long line shows its beginnings.
        record = beginnings_of(content) if content.size > self.line_limit else None
        envelope = envelope_of(content) if record is None else envelope_of_record(record)
        time = time_of(
            envelope.meta.ts,
            previous=file.last_time,
            name=file.path,
            first_seen=file.first_seen,
            now=self.latest - FAR_AHEAD_NS,
        )
        if not time:
            return Taken.TIMELESS
        if not (early or self._window.admits(time)):
            self._window.block(file.file_id, time)
            return Taken.EARLY
        entries = self._entries(file, line.span, content, envelope, time=time, record=record)
        self._begin(file, line, entries, time)
        return Taken.BEGUN

    def take_runs(self, file: TrackedFile, runs: Iterable[Run]) -> Taken:
        """Take lines until one has to wait, or until there is no room for more; tell what became of the last.

        Raises ``UnreadableError``; then what was not taken is read again.
        """
        for run in runs:
            taken = 0
            try:
                while taken < len(run) and self._budget.has_room:
                    old = self._too_old(run, taken)
                    if old and not self.takes_old:
                        return Taken.TOO_OLD
                    count = self._set_aside(file, run, taken, old) or self._take_ordinary(file, run, taken)
                    if not count:
                        became = self.take(file, run.line(taken))
                        if became is not Taken.BEGUN:
                            return became
                    taken += count or 1
                    if not self.finish(file):
                        return Taken.BEGUN
            finally:
                file.splitter.step_over(run, taken)
            if not self._budget.has_room:
                break
        return Taken.BEGUN

    def _too_old(self, run: Run, first: int) -> list[int]:
        """Return the times of the lines from the ``first`` on that Loki rejects for certain."""
        if self._tracker.has_parts_at(run.file_id, run.starts[first]):
            return []
        return times_before(self._window.oldest_accepted, run.contents[first : first + _LINES_A_RUN])

    def _set_aside(self, file: TrackedFile, run: Run, first: int, times: Sequence[int]) -> int:
        """Reject lines unsent, as one entry that has the text of all; return how many."""
        past = first + len(times)
        if times:
            span = Span(file.file_id, run.starts[first], run.ends[past - 1])
            self._note(file, len(times), span.end - span.start, times[-1])
            self._tracker.begin(span, 1, times[-1], run.tails(past - 1, past)[0])
            entry = Entry(span, (), times[0], b"\n".join(filter(None, run.contents[first:past])), ())
            self._budget.take((entry,))
            self._reject(file.path, entry, len(times))
        return len(times)

    def _take_ordinary(self, file: TrackedFile, run: Run, first: int) -> int:
        """Emit the entries of a run's lines from the ``first`` on, as far as they are ordinary.

        Returns how many lines that was; the next one, if there is one, is for ``take``.
        """
        lines = self._ordinary(file, run, first)
        entries = ordinary_entries(
            file.file_id,
            lines,
            (run.starts[first:], run.ends[first:]),
            latest=min(self._window.end, self.latest),
            labelling=self._labelling,
            origin=lambda envelope: self._origin(file, envelope),
        )
        if entries:
            self._begin_range(file, run, first, entries)
            self._emit(entries)
        return len(entries)

    def finish(self, file: TrackedFile) -> bool:
        """Emit the entries of the line that was begun last; False where there is no room for all of them.

        Later lines of the file wait for it, so that no more than one line is cut at a time. Raises
        ``UnreadableError``.
        """
        if file.file_id not in self._unfinished:
            return True
        entries, first = self._unfinished[file.file_id]
        for part in range(first, entries.count):
            if part and not self._budget.has_room:
                return False
            self._emit([entries.entry(part)])
            self._unfinished[file.file_id] = entries, part + 1
        del self._unfinished[file.file_id]
        return True

    @property
    def has_recut(self) -> bool:
        """Tell whether ``emit_recut`` has something to do."""
        return bool(self._recut)

    def recut(self, file: TrackedFile, entry: Entry) -> bool:
        """Cut a line that was one entry to the present limit; False where it was in parts before."""
        content = content_in_memory(entry.line)
        entries = self._entries(file, entry.span, content, envelope_of(content), time=entry.timestamp)
        if not self._tracker.recut(entry.span, entries.count):
            return False
        self._recut.append(entries.entry(part) for part in range(entries.count))
        return True

    def emit_recut(self) -> None:
        """Emit what was cut again, as there is room."""
        while self._recut and self._budget.has_room:
            entry = next(self._recut[0], None)
            if entry is None:
                self._recut.popleft()
            else:
                self._emit([entry])

    def unfinished_at(self, file_id: int) -> int | None:
        """Return where the line begins of which some entries have no room yet."""
        unfinished = self._unfinished.get(file_id)
        return unfinished[0].first.span.start if unfinished else None

    def forget(self, file_id: int) -> None:
        """Turn nothing more of a file into entries; what is left of a line that was begun is settled."""
        self._providers.pop(file_id, None)
        if file_id in self._unfinished:
            entries, first = self._unfinished.pop(file_id)
            for part in range(first, entries.count):
                self._tracker.settle(entries.first.span, part)

    def _begin(self, file: TrackedFile, line: Line, entries: Entries, time: int) -> None:
        self._note(file, 1, line.span.end - line.span.start, time)
        first = self._tracker.begin(line.span, entries.count, time, line.tail)
        self._unfinished[file.file_id] = entries, first

    def _begin_range(self, file: TrackedFile, run: Run, first: int, entries: Sequence[Entry]) -> None:
        past = first + len(entries)
        starts, ends = run.starts[first:past], run.ends[first:past]
        times = [each.timestamp for each in entries]
        self._note(file, len(entries), ends[-1] - starts[0], times[-1])
        self._tracker.begin_range(file.file_id, Range(starts, ends, times, run.tails(first, past)))

    def _note(self, file: TrackedFile, lines: int, size: int, time: int) -> None:
        file.last_time = time
        self._metrics.lines_read += lines
        self._metrics.bytes_read += size

    def _ordinary(self, file: TrackedFile, run: Run, first: int) -> Sequence[bytes]:
        """Return the lines from the ``first`` on that are short enough for Loki, as far as there is room."""
        if self._tracker.has_parts_at(file.file_id, run.starts[first]):
            return []
        fitting = bisect_right(run.ends, run.starts[first] + self._budget.room_bytes, first + 1)
        past = min(fitting, first + min(self._budget.room_entries, _LINES_A_RUN))
        contents = run.contents[first:past]
        past_held = contents.index(None) if None in contents else len(contents)
        lines = cast("Sequence[bytes]", contents[:past_held])
        if lines and max(map(len, lines)) > self.line_limit:
            return list(takewhile(lambda line: len(line) <= self.line_limit, lines))
        return lines

    def _origin(self, file: TrackedFile, envelope: Envelope) -> Origin:
        told = envelope.provider if isinstance(envelope.provider, str) else ""
        return origin_of(envelope, told or self._provider(file), file.path)

    def _entries(
        self,
        file: TrackedFile,
        span: Span,
        content: Content,
        envelope: Envelope,
        *,
        time: int,
        record: Mapping[str, Any] | None = None,
    ) -> Entries:
        return entries_of(
            span,
            content,
            envelope,
            origin=self._origin(file, envelope),
            timestamp=time,
            labelling=self._labelling,
            record=record,
        )

    def _content(self, file: TrackedFile, line: Line) -> Content:
        """Return a line's bytes; those of a very long one are read again whenever they are asked for."""

        def read(offset: int, size: int) -> bytes:
            return self._reader.read(file, line.span.start + offset, size)

        gathered = line.content is not None or line.size > _LARGEST_HELD
        return Content(line.size, read, line.content if gathered else read(0, line.size))

    def _provider(self, file: TrackedFile) -> str:
        """Return the provider that a file's first line names, for its lines that name none."""
        if file.file_id not in self._providers:
            self._providers[file.file_id] = provider_in_head(self._reader.head_of(file, HEAD_BYTES))
        return self._providers[file.file_id]
