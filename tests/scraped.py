"""What both processes serve at ``/metrics``, with every label value that there is."""

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

import proxy.exposition
import proxy.health
import proxy.metrics
import shipper.exposition
from proxy.writer import MISSED_BODIES
from shipper.health import Snapshot
from shipper.loki.retry import Meaning
from shipper.metrics import Metrics
from shipper.reporter import Event


def families() -> list[Metric]:
    """Return all metrics of the two."""
    return [each for text in (_proxy(), _shipper()) for each in text_string_to_metric_families(text.decode())]


def _proxy() -> bytes:
    omitted = tuple((reason, 0) for reason in MISSED_BODIES)
    return proxy.exposition.exposition(
        proxy.health.Snapshot("", 0.0, proxy.metrics.Metrics(), omitted=omitted)
    )


def _shipper() -> bytes:
    metrics = Metrics()
    metrics.pushes.update(dict.fromkeys(Meaning, 0))
    metrics.events.update({event.value[0]: 0 for event in Event})
    snapshot = Snapshot(
        enabled=True, unusable="", exhausted=False, waiting_since=None, ticked_at=0.0, metrics=metrics
    )
    return shipper.exposition.exposition(snapshot, 0.0, 0.0)
