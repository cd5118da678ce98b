"""Publishes snapshots of the loop to the health port, the log and the progress display."""

import math
from collections.abc import Callable
from typing import Any

from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.export.cloudwatch import MetricLine
from shipper.telemetry.export.http_server import HealthPort
from shipper.telemetry.health import Snapshot, Status, advice_of, error_of, status_of, trouble_of
from shipper.telemetry.outage import Outage, Turn
from shipper.telemetry.page.files import Survey

# While the loop is busy, it publishes a snapshot at this interval, in seconds.
_BUSY_SECONDS = 0.1
# A snapshot of 10,000 files takes milliseconds. At most one fiftieth of the time is spent on snapshots.
_REST = 50

Tell = Callable[[Snapshot], None]


class Publisher:
    """Publishes snapshots. ``due_at`` is the time of a delayed snapshot, or infinity.

    ``tell`` receives each snapshot of a pipeline. ``people_read`` says that the log is in human format.
    """

    def __init__(
        self,
        port: HealthPort,
        reporter: Reporter,
        *,
        environment: str,
        people_read: bool,
        tell: Tell | None,
    ) -> None:
        self._port = port
        self._reporter = reporter
        self._metric_line = MetricLine(environment)
        self._people_read = people_read
        self._tell = tell
        self._outage = Outage()
        self._rests_until = self._busy_until = -math.inf
        self.due_at = math.inf

    def holds_back(self, now: float, *, busy: bool) -> bool:
        """Tell whether a snapshot now would come too soon after the last; nobody who asks is kept waiting."""
        until = max(self._rests_until, self._busy_until) if busy else self._rests_until
        held = now < until and not self._port.is_asked
        self.due_at = until if held else math.inf
        return held

    def rest(self, now: float, took: float) -> None:
        """Note that a snapshot took so long."""
        self._rests_until = now + took * _REST
        self._busy_until = now + _BUSY_SECONDS

    def show(
        self, snapshot: Snapshot, now: float, wall: float, survey: Callable[[], Survey] | None = None
    ) -> None:
        """Let the health port answer with it and, once a minute, the log.

        ``survey`` looks through the files of the pipeline, where there is one.
        """
        self._port.publish(snapshot)
        if self._tell and survey:
            self._tell(snapshot)
        if self._port.is_asked:
            self._port.hand(survey() if survey else Survey())
        if self._metric_line.is_due(now):
            fields = self._metric_line.fields(snapshot, now, wall)
            self._reporter.report(Event.MEASURED, quiet=self._people_read, **fields)

    def tell_of_outage(self, snapshot: Snapshot, now: float) -> None:
        """Log when lines begin not to reach Loki, while that lasts, and when it ends."""
        failing = status_of(snapshot, now) is Status.ERROR
        turn = self._outage.see(now, failing=failing, since=snapshot.waiting_since)
        told: dict[str, Any] = {
            "failing_seconds": round(self._outage.lasted(now), 1),
            "lag_bytes": snapshot.lag_bytes,
        }
        if turn in {Turn.BEGAN, Turn.LASTS}:
            event = Event.DELIVERY_FAILING if turn is Turn.BEGAN else Event.STILL_FAILING
            reason = error_of(snapshot) or "no answer yet"
            what = trouble_of(snapshot)
            self._reporter.report(event, what=what, reason=reason, advice=advice_of(snapshot), **told)
        elif turn is Turn.ENDED:
            self._reporter.report(Event.DELIVERY_RECOVERED, **told)
            self._outage.end()
