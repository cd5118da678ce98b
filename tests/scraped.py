"""What both processes serve at ``/metrics``, with every label value that there is."""

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import proxy.telemetry.health
import proxy.telemetry.metrics
import proxy.telemetry.prometheus
import shipper.telemetry.export.prometheus
from proxy.recording.worker import MISSED_BODIES
from shipper.loki.push.answers import Meaning
from shipper.telemetry.events import Event
from shipper.telemetry.health import Snapshot
from shipper.telemetry.metrics import Metrics


def families() -> list[Metric]:
    """Return all metrics of the two."""
    return [each for text in (_proxy(), _shipper()) for each in text_string_to_metric_families(text.decode())]


def _proxy() -> bytes:
    omitted = tuple((reason, 0) for reason in MISSED_BODIES)
    return proxy.telemetry.prometheus.exposition(
        proxy.telemetry.health.Snapshot("", 0.0, proxy.telemetry.metrics.Metrics(), omitted=omitted)
    )


def _shipper() -> bytes:
    metrics = Metrics()
    metrics.pushes.update(dict.fromkeys(Meaning, 0))
    metrics.events.update({event.value[0]: 0 for event in Event})
    snapshot = Snapshot(
        enabled=True, unusable="", exhausted=False, waiting_since=None, ticked_at=0.0, metrics=metrics
    )
    return shipper.telemetry.export.prometheus.exposition(snapshot, 0.0, 0.0)
