"""How the proxy is, as a value and as ``/health`` tells it."""

from dataclasses import dataclass
from typing import Any

from proxy.content.dialects.registry import NAMES
from proxy.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state at one moment; ``streams`` are calls whose response flows.

    ``failing`` tells that the log cannot be written now. Answers on record are counted by dialect, bodies
    that are missing by reason.
    """

    version: str
    uptime: float
    metrics: Metrics
    running: int = 0
    streams: int = 0
    failing: bool = False
    last_error: str | None = None
    sessions: int = 0
    records_written: int = 0
    records_missing: int = 0
    dialects: tuple[tuple[str, int], ...] = tuple((name, 0) for name in NAMES)
    omitted: tuple[tuple[str, int], ...] = ()
    write_errors: int = 0
    queue_bytes: int = 0
    queue_items: int = 0
    free_bytes: int = 0


def report_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return the body of ``/health``."""
    metrics = snapshot.metrics
    return {
        "status": "error" if snapshot.failing else "ok",
        "version": snapshot.version,
        "uptime_seconds": round(snapshot.uptime, 3),
        "calls": metrics.calls,
        "calls_running": snapshot.running,
        "calls_refused": metrics.refused,
        "calls_failed": metrics.failed,
        "sessions": snapshot.sessions,
        "records_written": snapshot.records_written,
        "records_missing": snapshot.records_missing,
        "bodies_omitted": sum(count for _, count in snapshot.omitted),
        "write_errors": snapshot.write_errors,
        "last_error": snapshot.last_error,
        "queue_bytes": snapshot.queue_bytes,
        "free_bytes": snapshot.free_bytes,
    }
