"""What was counted, in Prometheus' text format; docs/metrics.md explains each."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from shipper.telemetry.health import Snapshot, Status, status_of

PREFIX = "llm_loki_ship_"


def exposition(snapshot: Snapshot, now: float, wall: float) -> bytes:
    """Return the body of ``/metrics``; ``now`` is a monotonic clock's, ``wall`` seconds since 1970."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(snapshot, now, wall))
    return generate_latest(registry)


class _Snapshot(Collector):
    def __init__(self, snapshot: Snapshot, now: float, wall: float) -> None:
        self._snapshot = snapshot
        self._now = now
        self._wall = wall

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        latency = self._snapshot.metrics.latency
        yield HistogramMetricFamily(
            PREFIX + "delivery_latency_seconds",
            "From a line's time to its acknowledgement.",
            buckets=list(latency.buckets()),
            sum_value=latency.total,
        )
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        metrics = self._snapshot.metrics
        for name, help_text, value in (
            ("lines_read", "Lines read from session files.", metrics.lines_read),
            ("read_bytes", "Bytes of those lines.", metrics.bytes_read),
            ("entries_sent", "Lines of which Loki has all.", metrics.entries_sent),
            ("parts_sent", "Parts of long lines that Loki has.", metrics.parts_sent),
            ("sent_bytes", "Bytes of delivered lines and their metadata.", metrics.bytes_sent),
            ("batches_sent", "Pushes delivered.", metrics.batches_sent),
            (
                "entries_failed",
                "Entries that used up their retries once; they stay queued.",
                metrics.entries_failed,
            ),
            ("entries_late", "Entries sent under the label late.", metrics.entries_late),
            ("maybe_duplicated", "Entries sent again that may be there.", metrics.maybe_duplicated),
            (
                "entries_forgotten",
                "Acknowledged entries that an audit did not find in Loki.",
                metrics.entries_forgotten,
            ),
            ("entries_restored", "Forgotten entries sent again.", metrics.entries_restored),
            ("retries", "Pushes repeated.", metrics.retries),
            ("log_lines_dropped", "Log lines that nobody read.", metrics.log_lines_dropped),
            ("entries_retried", "Entries to be pushed once more.", metrics.entries_retried),
            ("retried_bytes", "Bytes of those entries.", metrics.bytes_retried),
        ):
            yield CounterMetricFamily(PREFIX + name, help_text, value)
        for name, help_text, label, values in (
            ("entries_dropped", "Entries given up, by reason.", "reason", metrics.dropped),
            ("dropped_bytes", "Bytes of those entries.", "reason", metrics.bytes_dropped),
            ("pushes", "Answers to pushes, by meaning.", "meaning", metrics.pushes),
            ("push_answers", "Answers to pushes, by HTTP status.", "status", metrics.answers),
            ("events", "Events told, by name.", "event", metrics.events),
        ):
            family = CounterMetricFamily(PREFIX + name, help_text, labels=[label])
            for each, count in values.items():
                family.add_metric([str(each)], count)
            yield family

    def _gauges(self) -> Iterator[Metric]:
        snapshot = self._snapshot
        status = GaugeMetricFamily(PREFIX + "status", "1 for the present status.", labels=["status"])
        for each in Status:
            status.add_metric([each], float(each is status_of(snapshot, self._now)))
        yield status
        oldest = snapshot.oldest_time
        saved = snapshot.checkpoint_saved_at
        for name, help_text, value in (
            ("lag_bytes", "Bytes on disk that are not settled.", snapshot.lag_bytes),
            ("torn_bytes", "Bytes of last lines without a newline.", snapshot.torn_bytes),
            (
                "oldest_unsent_seconds",
                "Age of the oldest line not settled.",
                self._wall - oldest / 1e9 if oldest else 0,
            ),
            (
                "read_back_age_seconds",
                "Since the time up to which all acknowledged lines were read back; 0 before the first audit.",
                self._wall - read_back if (read_back := snapshot.metrics.read_back_until) else 0,
            ),
            ("files", "Files followed.", snapshot.files),
            ("unreadable", "Files and folders that cannot be opened.", len(snapshot.closed)),
            (
                "rejected_lines",
                "Lines rejected or lost that nobody has sent again or accepted.",
                sum(snapshot.refused.values()),
            ),
            ("folder_bytes", "Bytes of the files in the log folder.", snapshot.folder_bytes),
            ("free_bytes", "Bytes that may still be written to the log folder.", snapshot.free_bytes),
            ("open_files", "Files open.", snapshot.open_files),
            ("held_bytes", "Bytes of entries in memory.", snapshot.held_bytes),
            ("pushes_in_flight", "Pushes under way.", snapshot.in_flight),
            (
                "checkpoint_age_seconds",
                "Since the checkpoint was last written; 0 before.",
                self._now - saved if saved else 0,
            ),
        ):
            yield GaugeMetricFamily(PREFIX + name, help_text, value)
