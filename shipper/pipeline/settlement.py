"""The accounts of what is settled: tracker, budget and counters, in one place."""

from collections.abc import Callable, Iterable, Sequence

from shipper.checkpoint.tracker import Tracker
from shipper.entry import Entry, Span
from shipper.pipeline.budget import Budget
from shipper.telemetry.metrics import Metrics


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
