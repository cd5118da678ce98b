"""What Loki refused and what was lost with its file: told, counted and listed; then it is settled."""

from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from shipper.checkpoint.rejected import RejectedList, rejection
from shipper.entry import DropReason, Entry, Span
from shipper.loki.outcome import Refused
from shipper.metrics import Metrics
from shipper.reporter import Event, Reporter


class Refusals:
    """The refusals of one process. Where the list cannot be written, they wait and are not settled."""

    def __init__(self, listed: RejectedList, reporter: Reporter, metrics: Metrics) -> None:
        self._listed = listed
        self._reporter = reporter
        self._metrics = metrics
        self._unwritten: deque[tuple[str, Refused]] = deque()
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
        self._unwritten.append((path, refused))

    def write(self) -> Iterator[Entry]:
        """Put what waits on the list, and yield each entry that stands there now."""
        while self._unwritten:
            path, refused = self._unwritten[0]
            entry = refused.entry
            row = rejection(path, entry.span, reason=refused.reason, line=entry.line, answer=refused.text)
            try:
                self._listed.add(replace(row, timestamp=entry.timestamp, part=entry.part))
            except OSError as exc:
                self._cannot_write(exc)
                return
            self._unwritten.popleft()
            self._metrics.dropped[refused.reason] += 1
            self._lines.add(entry.span)
            yield entry

    def lose(self, path: str, span: Span) -> None:
        """Count bytes that went with their file before they were read."""
        self._metrics.dropped[DropReason.FILE_GONE] += 1
        try:
            self._listed.add(rejection(path, span, reason=DropReason.FILE_GONE))
        except OSError as exc:
            self._cannot_write(exc)

    def has(self, span: Span) -> bool:
        """Tell whether something of a line was refused."""
        return span in self._lines

    def _cannot_write(self, exc: OSError) -> None:
        self._reporter.report(Event.CHECKPOINT_FAILED, reason=f"rejected.jsonl: {exc.strerror or exc}")
