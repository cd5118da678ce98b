"""The state of delivery as metrics inside a log line: CloudWatch's embedded metric format (EMF).

For alarms where nobody scrapes ``/metrics``, as on ECS: CloudWatch Logs takes the metrics out of the line. A
shipper that is dead writes none, so missing data is bad news.
"""

from typing import Any

from shipper.telemetry.health import Snapshot, Status, report_of

NAMESPACE = "llm-proxy"
DIMENSION = "environment"
# Each metric's unit, by CloudWatch's names for them.
UNITS = {
    "delivery_failing": "None",
    "entries_dropped": "Count",
    "folder_bytes": "Bytes",
    "lag_bytes": "Bytes",
    "oldest_unsent_seconds": "Seconds",
}
# CloudWatch's finest period of usual alarms.
_EVERY_SECONDS = 60.0


class MetricLine:
    """Says once a minute how delivery is; ``environment`` is the dimension of the metrics."""

    def __init__(self, environment: str) -> None:
        self._environment = environment or "unknown"
        self._next = float("-inf")
        self._dropped = 0

    def is_due(self, now: float) -> bool:
        """Tell whether a line is due at ``now``, on the monotonic clock, and count on from then."""
        if now < self._next:
            return False
        # In step with the minutes, so that no period of CloudWatch's goes without.
        late = now - self._next
        self._next = now + _EVERY_SECONDS - (late if late < _EVERY_SECONDS else 0.0)
        return True

    def fields(self, snapshot: Snapshot, now: float, wall: float) -> dict[str, Any]:
        """Return the members of the line; entries dropped are those since the line before.

        ``wall`` is in seconds since 1970.
        """
        dropped = snapshot.metrics.entries_dropped
        report = report_of(snapshot, now, wall)
        fields = {
            DIMENSION: self._environment,
            "status": report["status"],
            "delivery_failing": int(report["status"] is Status.ERROR),
            "entries_dropped": dropped - self._dropped,
            "folder_bytes": snapshot.folder_bytes,
            "lag_bytes": snapshot.lag_bytes,
            "oldest_unsent_seconds": report["oldest_unsent_seconds"],
        }
        self._dropped = dropped
        return {"_aws": _directive(wall), **fields}


def _directive(wall: float) -> dict[str, Any]:
    """Say which members are metrics, as in the specification of the embedded metric format."""
    metrics = [{"Name": name, "Unit": unit} for name, unit in UNITS.items()]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics}
    return {"Timestamp": int(wall * 1000), "CloudWatchMetrics": [directive]}
