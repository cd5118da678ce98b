"""What was counted, in Prometheus' text format (version 0.0.4); docs/metrics.md explains each.

Written out here: the event loop answers ``/metrics``, and importing prometheus-client alone would hold up all
calls for a tenth of a second.
"""

from collections.abc import Iterable, Iterator, Mapping

from groundwork.histogram import Histogram
from proxy.telemetry.health import Snapshot
from proxy.wire.access.call_kind import Kind

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "llm_proxy_"

Samples = Iterable[tuple[Mapping[str, str], float]]
"""Values by label; none of these values needs escaping."""


def exposition(snapshot: Snapshot) -> bytes:
    """Return the body of ``/metrics``."""
    lines = [*_counters(snapshot), *_added(snapshot.metrics.added), *_gauges(snapshot)]
    return "".join(f"{line}\n" for line in lines).encode()


def _counters(snapshot: Snapshot) -> Iterator[str]:
    metrics = snapshot.metrics
    for name, text, samples in (
        ("requests", "Requests that have ended, by provider and status.", _by_provider(metrics.requests)),
        ("failures", "Calls that did not end well, by kind.", _by("kind", metrics.failures.items())),
        ("unrecorded", "Calls that are not on record, by what they are for.", _by_kind(metrics.unrecorded)),
        (
            "answers",
            "Answers on record, by the dialect they are in.",
            _by("dialect", snapshot.dialects),
        ),
        ("sessions", "Sessions that began.", _one(snapshot.sessions)),
        ("records_written", "Records in session files.", _one(snapshot.records_written)),
        ("records_missing", "Records that are in no file.", _one(snapshot.records_missing)),
        ("bodies_omitted", "Bodies left out of records, by reason.", _by("reason", snapshot.omitted)),
        ("journal_errors", "Failures to write to the log folder.", _one(snapshot.write_errors)),
    ):
        yield from _family(f"{name}_total", "counter", text, samples)


def _gauges(snapshot: Snapshot) -> Iterator[str]:
    status = {"ok": not snapshot.failing, "error": snapshot.failing}
    for name, text, samples in (
        ("status", "1 for the present status.", _by("status", status.items())),
        ("uptime_seconds", "Since the start of the process.", _one(round(snapshot.uptime, 3))),
        ("calls_running", "Calls that run.", _one(snapshot.running)),
        ("streams_running", "Calls whose response flows.", _one(snapshot.streams)),
        ("journal_queue_bytes", "Bytes that wait to be written.", _one(snapshot.queue_bytes)),
        ("journal_queue_items", "Requests, responses and parts that wait.", _one(snapshot.queue_items)),
        ("free_bytes", "Free bytes on the disk of the log folder.", _one(snapshot.free_bytes)),
    ):
        yield from _family(name, "gauge", text, samples)


def _added(added: Histogram) -> Iterator[str]:
    name = f"{_PREFIX}added_seconds"
    yield from _head(name, "histogram", "Time that the proxy adds to a call.")
    yield from (f'{name}_bucket{{le="{bound}"}} {count}' for bound, count in added.buckets())
    yield f"{name}_count {added.count}"
    yield f"{name}_sum {added.total}"


def _family(name: str, kind: str, text: str, samples: Samples) -> Iterator[str]:
    name = _PREFIX + name
    yield from _head(name, kind, text)
    for labels, value in samples:
        inner = ",".join(f'{label}="{each}"' for label, each in labels.items())
        yield f"{name}{{{inner}}} {value:d}" if inner else f"{name} {value}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def _one(value: float) -> Samples:
    return [({}, value)]


def _by(label: str, counts: Iterable[tuple[str, int]]) -> Samples:
    return [({label: name}, count) for name, count in counts]


def _by_kind(counts: Mapping[Kind, int]) -> Samples:
    return [({"path": kind}, count) for kind, count in counts.items()]


def _by_provider(counts: Mapping[tuple[str, str], int]) -> Samples:
    return [({"provider": name, "status": status}, count) for (name, status), count in counts.items()]
