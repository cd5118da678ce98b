"""What was delivered, refused or lost with its file: told, counted and listed; then it is settled."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from shipper.checkpoint.rejected import RejectedList, Rejection, rejection
from shipper.checkpoint.tracker import Tracker
from shipper.entry import DropReason, Entry, Span
from shipper.loki.push.outcome import Refused
from shipper.loki.queues.age_limit import AgeLimit
from shipper.pipeline.budget import Budget
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics

# Thousands of lines may be refused at once; a disk that fills up takes none of a write.
_ROWS_A_WRITE = 100


class Refusals:
    """The refusals of one process. Where the list cannot be written, they wait and are not settled."""

    def __init__(self, listed: RejectedList, reporter: Reporter, metrics: Metrics) -> None:
        self._listed = listed
        self._reporter = reporter
        self._metrics = metrics
        self._unwritten: deque[tuple[Rejection, Entry | None]] = deque()
        self._lines: set[Span] = set()
        self._left: Mapping[str, int] = {}
        self._told: set[tuple[str, DropReason]] = set()

    def set_aside(self, limit: AgeLimit, path: str, entry: Entry, lines: int) -> None:
        """Take lines that are too old for Loki, as one entry that has the text of all."""
        self.add(path, Refused(entry, DropReason.TOO_OLD, limit.text), lines)

    def add(self, path: str, refused: Refused, lines: int = 1) -> None:
        """Take a refusal; of each file and reason the first is told in the log.

        An entry of several ``lines`` has the text of all.
        """
        span, reason = refused.entry.span, refused.reason
        told = (path, reason) in self._told
        self._told.add((path, reason))
        self._reporter.report(
            Event.ENTRY_REJECTED,
            times=lines,
            quiet=told,
            reason=reason,
            file=path,
            start=span.start,
            end=span.end,
        )
        entry = refused.entry
        # One answer is enough for the lines of a file: they may be millions.
        answer = "" if told and lines > 1 else refused.text
        row = rejection(path, span, reason=reason, line=entry.line, answer=answer)
        row = replace(row, timestamp=entry.timestamp, part=entry.part, lines=lines)
        self._unwritten.append((row, entry))

    def lose(self, path: str, span: Span) -> None:
        """Take bytes that went with their file before they were read."""
        self._unwritten.append((rejection(path, span, reason=DropReason.FILE_GONE), None))

    @property
    def left(self) -> Mapping[str, int]:
        """How many lines no process will send unless somebody acts, by reason."""
        with suppress(OSError):
            self._left = dict(self._listed.lines())
        return self._left

    def write(self) -> Iterator[Entry]:
        """Put what waits on the list, and yield each entry that stands there now."""
        while self._unwritten:
            written = list(islice(self._unwritten, _ROWS_A_WRITE))
            try:
                self._listed.add(*(row for row, _ in written))
            except OSError as exc:
                reason = f"rejected.jsonl: {exc.strerror or exc}"
                self._reporter.report(Event.CHECKPOINT_FAILED, reason=reason)
                return
            for _ in written:
                self._unwritten.popleft()
            yield from self._count(written)

    def _count(self, written: Iterable[tuple[Rejection, Entry | None]]) -> Iterator[Entry]:
        for row, entry in written:
            self._metrics.dropped[row.reason] += row.lines
            self._metrics.bytes_dropped[row.reason] += entry.length if entry else row.end - row.start
            if entry is not None:
                # What was rejected unsent says nothing of the lines that are sent.
                self._metrics.refused_in_row += row.lines == 1
                self._lines.add(entry.span)
                yield entry

    def has(self, span: Span) -> bool:
        """Tell whether something of a line was refused."""
        return span in self._lines


class Settlement:
    """Settles entries; ``bytes`` are those of all lines that were settled in this process.

    ``has_refused`` tells whether Loki has refused something of a line.
    """

    def __init__(
        self, tracker: Tracker, budget: Budget, metrics: Metrics, has_refused: Callable[[Span], bool]
    ) -> None:
        self._tracker = tracker
        self._budget = budget
        self._has_refused = has_refused
        self._metrics = metrics
        self.bytes = 0

    def deliver(self, entries: Sequence[Entry], wall: float) -> None:
        """Settle what Loki has: whole lines at once, and parts one by one."""
        self._metrics.refused_in_row *= not entries
        whole = [each for each in entries if each.parts == 1]
        if len(whole) < len(entries):
            for entry in entries:
                if entry.parts > 1 and self.finish(entry):
                    self._metrics.latency.observe_all([_age(entry, wall)])
        self._budget.give_back(whole)
        settled = self._tracker.settle_lines([each.span for each in whole])
        self.bytes += sum([end - start for _, start, end in settled])
        self._metrics.entries_sent += len(settled)
        if len(settled) < len(whole):
            first = set(settled)
            whole = [each for each in whole if each.span in first]
        self._metrics.latency.observe_all([_age(each, wall) for each in whole])

    def finish(self, entry: Entry) -> bool:
        """Settle an entry, and count its line when that was the last of it; tell whether Loki has it all."""
        self._budget.give_back((entry,))
        if entry.part:
            self._metrics.parts_sent += 1
        if not self._tracker.settle(entry.span, entry.part):
            return False
        self.bytes += entry.span.end - entry.span.start
        sent = not self._has_refused(entry.span)
        self._metrics.entries_sent += sent
        return sent

    def finish_all(self, entries: Iterable[Entry]) -> bool:
        """Settle entries one by one; tell whether there are any."""
        finished = [self.finish(entry) for entry in entries]
        return bool(finished)


def _age(entry: Entry, wall: float) -> float:
    return max(0.0, wall - entry.timestamp / 1e9)
