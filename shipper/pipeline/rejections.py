"""What Loki refused and what was lost with its file: told, counted and listed; then it is settled."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from shipper.checkpoint.rejected import RejectedList, Rejection, rejection
from shipper.entry import DropReason, Entry, Span
from shipper.loki.push.outcome import Refused
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics


class Refusals:
    """The refusals of one process. Where the list cannot be written, they wait and are not settled."""

    def __init__(self, listed: RejectedList, reporter: Reporter, metrics: Metrics) -> None:
        self._listed = listed
        self._reporter = reporter
        self._metrics = metrics
        self._unwritten: deque[tuple[Rejection, Entry | None]] = deque()
        self._lines: set[Span] = set()
        self._told: set[tuple[str, DropReason]] = set()

    def add(self, path: str, refused: Refused) -> None:
        """Take a refusal; of each file and reason the first is told in the log."""
        span, reason = refused.entry.span, refused.reason
        told = (path, reason) in self._told
        self._told.add((path, reason))
        self._reporter.report(
            Event.ENTRY_REJECTED, quiet=told, reason=reason, file=path, start=span.start, end=span.end
        )
        entry = refused.entry
        row = rejection(path, span, reason=reason, line=entry.line, answer=refused.text)
        self._unwritten.append((replace(row, timestamp=entry.timestamp, part=entry.part), entry))

    def lose(self, path: str, span: Span) -> None:
        """Take bytes that went with their file before they were read."""
        self._unwritten.append((rejection(path, span, reason=DropReason.FILE_GONE), None))

    def write(self) -> Iterator[Entry]:
        """Put what waits on the list, and yield each entry that stands there now."""
        while self._unwritten:
            row, entry = self._unwritten[0]
            try:
                self._listed.add(row)
            except OSError as exc:
                reason = f"rejected.jsonl: {exc.strerror or exc}"
                self._reporter.report(Event.CHECKPOINT_FAILED, reason=reason)
                return
            self._unwritten.popleft()
            self._metrics.dropped[row.reason] += 1
            self._metrics.bytes_dropped[row.reason] += entry.length if entry else row.end - row.start
            if entry is not None:
                self._lines.add(entry.span)
                yield entry

    def has(self, span: Span) -> bool:
        """Tell whether something of a line was refused."""
        return span in self._lines
