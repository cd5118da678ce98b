"""``GET /metrics``: the counters by which losses show that no answer told."""

from collections.abc import Iterable, Mapping

from tests.fakes.loki.distributor import Distributor

Sample = tuple[str, Mapping[str, str], float]


def metrics_text(tenants: Mapping[str, Distributor]) -> str:
    """Return Prometheus' text format."""
    samples = [sample for tenant, each in tenants.items() for sample in _samples(tenant, each)]
    lines: list[str] = []
    for name in dict.fromkeys(sample[0] for sample in samples):
        kind = "gauge" if name.endswith("_streams") else "counter"
        lines.append(f"# TYPE {name} {kind}")
        lines += [_line(*sample) for sample in samples if sample[0] == name]
    return "\n".join(lines) + "\n"


def _samples(tenant: str, distributor: Distributor) -> Iterable[Sample]:
    counts, of_tenant = distributor.counts, {"tenant": tenant}
    yield "loki_distributor_lines_received_total", of_tenant, counts.lines_received
    yield "loki_distributor_bytes_received_total", of_tenant, counts.bytes_received
    for reason, count in sorted(counts.discarded.items()):
        yield "loki_discarded_samples_total", {"reason": reason, **of_tenant}, count
    yield "loki_ingester_memory_streams", of_tenant, len(distributor.ingester.streams)
    yield "loki_stream_sharding_count", {}, counts.shardings
    for status, count in sorted(counts.pushes.items()):
        labels = {"route": "loki_api_v1_push", "status_code": str(status), "method": "POST"}
        yield "loki_request_duration_seconds_count", labels, count


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    inner = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{inner}}} {value:.0f}" if inner else f"{name} {value:.0f}"
