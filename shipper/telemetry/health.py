"""Is delivery well? A verdict from what was counted and the time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from groundwork.text import span
from shipper.loki.advice import ALL_REJECTED, CONFIGURATION, LET_READ, REJECTED, SET_CLOCK
from shipper.telemetry.metrics import Metrics
from shipper.telemetry.rates import Point

# Shorter than the 30 s within which an operator is told; longer than a slow push.
SILENT_SECONDS = 15.0
# So many entries in a row that Loki refused for good are no odd ones: it takes none.
ALL_REFUSED = 3
# Old lines become neither fewer nor younger for as long: an answer and the question after it take 10 s each.
STUCK_SECONDS = 14.0
# The loop ticks every second; a disk that stalls for longer than this needs a new process.
STALLED_SECONDS = 30.0


class Status(StrEnum):
    """What ``/health/loki`` says first."""

    OK = "ok"
    DISABLED = "disabled"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy of the loop's state for other threads.

    ``unusable`` is why Loki cannot be used at all; ``waiting_since`` is when the first push began to wait
    without a success since, on the monotonic clock of ``ticked_at``; ``oldest_time`` is that of the
    oldest line that waits, in nanoseconds, ``oldest_parts`` are those of it that are settled, and
    ``stuck_since`` is since when old lines become neither fewer nor younger; ``refused`` counts the lines
    that will not reach Loki unless somebody acts, by reason;
    ``state_fails`` tells that the state folder cannot be written; ``parked`` are file and offset of lines
    that fail while others succeed; ``closed`` are the files and folders that cannot be opened, with the
    reason. ``clock_behind`` is how many seconds the own clock is behind Loki's; ``ahead`` is the file
    whose next line waits for Loki's clock, and how many seconds it is ahead of that, while nothing else
    waits.
    """

    enabled: bool
    unusable: str
    ticked_at: float
    metrics: Metrics
    exhausted: bool = False
    state_fails: bool = False
    waiting_since: float | None = None
    lag_bytes: int = 0
    parked: tuple[tuple[str, int], ...] = ()
    structured_metadata: bool = True
    settled_bytes_per_second: float = 0.0
    torn_bytes: int = 0
    oldest_time: int | None = None
    oldest_parts: int = 0
    stuck_since: float | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    files: int = 0
    folder_bytes: int = 0
    free_bytes: int = 0
    open_files: int = 0
    held_bytes: int = 0
    in_flight: int = 0
    checkpoint_saved_at: float | None = None
    settled_lines_per_second: float = 0.0
    draining: bool = False
    history: tuple[Point, ...] = ()
    closed: Mapping[str, str] = field(default_factory=dict)
    clock_behind: float = 0.0
    ahead: tuple[str, float] | None = None


def status_of(snapshot: Snapshot, now: float) -> Status:
    """Return the status at ``now``, on the monotonic clock."""
    if not snapshot.enabled:
        return Status.DISABLED
    silent = snapshot.waiting_since is not None and now - snapshot.waiting_since >= SILENT_SECONDS
    silent |= is_stuck(snapshot, now)
    forgetful = snapshot.metrics.entries_missing > 0
    failing = snapshot.unusable or snapshot.exhausted or snapshot.state_fails
    waits = snapshot.closed or snapshot.ahead
    refused = snapshot.refused or snapshot.metrics.refused_in_row >= ALL_REFUSED
    return Status.ERROR if failing or forgetful or refused or waits or silent else Status.OK


def is_stuck(snapshot: Snapshot, now: float) -> bool:
    """Tell whether old lines wait while others may reach Loki."""
    return snapshot.stuck_since is not None and now - snapshot.stuck_since >= STUCK_SECONDS


def trouble_of(snapshot: Snapshot) -> str:
    """Return what fails where the status is an error."""
    goes = not snapshot.unusable
    well = goes and not snapshot.exhausted
    troubles = {
        "The state folder cannot be written": snapshot.state_fails,
        "Loki has forgotten lines": snapshot.metrics.entries_missing,
        f"{len(snapshot.parked)} lines do not reach Loki, others do": goes and snapshot.parked,
        "Files or folders cannot be read": well and snapshot.closed,
        "Lines are ahead of Loki's clock": well and snapshot.ahead,
        "Loki refuses all lines": well and snapshot.metrics.refused_in_row >= ALL_REFUSED,
        "Some lines do not reach Loki, others do": well and is_stuck(snapshot, snapshot.ticked_at),
        "Lines are not in Loki, and nothing sends them again": _rests_on_refusals(snapshot),
    }
    return next((text for text, there in troubles.items() if there), "Lines do not reach Loki")


def _rests_on_refusals(snapshot: Snapshot) -> bool:
    """Tell whether nothing is wrong now but that lines were refused, or lost with their file."""
    stands = snapshot.waiting_since is not None or is_stuck(snapshot, snapshot.ticked_at)
    fails = bool(snapshot.unusable or snapshot.exhausted or snapshot.state_fails or snapshot.closed)
    fails |= bool(snapshot.ahead or snapshot.metrics.entries_missing)
    fails |= snapshot.metrics.refused_in_row >= ALL_REFUSED
    return bool(snapshot.refused) and not (stands or fails)


def error_of(snapshot: Snapshot) -> str | None:
    """Return the error to show: what stops delivery now, else the last one."""
    if _rests_on_refusals(snapshot):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in snapshot.refused.items())
        return f"not in Loki, and not sent again: {reasons}"
    stopped = snapshot.unusable or snapshot.exhausted or snapshot.state_fails
    if snapshot.ahead and not (snapshot.closed or stopped):
        path, ahead = snapshot.ahead
        return f"a line is stamped {span(ahead)} ahead of Loki's clock, and waits: {path}"
    if snapshot.closed and not stopped:
        path, reason = next(iter(snapshot.closed.items()))
        count = (
            f"{len(snapshot.closed):,} files or folders" if len(snapshot.closed) > 1 else "a file or folder"
        )
        return f"cannot read {count}: {path}: {reason}"
    return snapshot.unusable or snapshot.metrics.last_error


def advice_of(snapshot: Snapshot) -> str:
    """Return what to do about ``error_of``."""
    if _rests_on_refusals(snapshot):
        return REJECTED
    if snapshot.unusable:
        return CONFIGURATION
    if snapshot.closed and not (snapshot.exhausted or snapshot.state_fails):
        return LET_READ
    if snapshot.ahead and not (snapshot.exhausted or snapshot.state_fails):
        return SET_CLOCK
    if snapshot.metrics.refused_in_row >= ALL_REFUSED and not (snapshot.exhausted or snapshot.state_fails):
        return ALL_REJECTED
    return snapshot.metrics.advice


def is_alive(snapshot: Snapshot, now: float) -> bool:
    """Tell whether the loop still ticks."""
    return now - snapshot.ticked_at < STALLED_SECONDS


def report_of(snapshot: Snapshot, now: float, wall: float) -> dict[str, Any]:
    """Return the body of ``/health/loki``; times are RFC 3339, ages are seconds."""
    metrics = snapshot.metrics
    oldest = snapshot.oldest_time
    error_time = metrics.last_error_time
    return {
        "status": status_of(snapshot, now),
        "entries_sent": metrics.entries_sent,
        "entries_failed": metrics.entries_failed,
        "entries_dropped": metrics.entries_dropped,
        "batches_sent": metrics.batches_sent,
        "last_error": error_of(snapshot),
        "last_error_time": datetime.fromtimestamp(error_time, UTC).isoformat() if error_time else None,
        "lag_bytes": snapshot.lag_bytes,
        "oldest_unsent_seconds": (
            round(max(0.0, wall + snapshot.clock_behind - oldest / 1e9), 3) if oldest else 0
        ),
        "parts_sent": metrics.parts_sent,
        "entries_late": metrics.entries_late,
        "maybe_duplicated": metrics.maybe_duplicated,
        "catch_up_seconds": _catch_up(snapshot),
        "read_back_until": (
            datetime.fromtimestamp(metrics.read_back_until, UTC).isoformat(timespec="seconds")
            if metrics.read_back_until
            else None
        ),
        "entries_forgotten": metrics.entries_forgotten,
        "entries_restored": metrics.entries_restored,
        "state_folder_writable": not snapshot.state_fails,
        "rejected": sum(snapshot.refused.values()),
        "parked": [{"file": file, "offset": offset} for file, offset in snapshot.parked],
        "structured_metadata": snapshot.structured_metadata,
        "files": snapshot.files,
        "torn_bytes": snapshot.torn_bytes,
        "unreadable": len(snapshot.closed),
        "clock_behind_seconds": round(snapshot.clock_behind, 1),
    }


def _catch_up(snapshot: Snapshot) -> float | None:
    """Return how long what waits will take at the present rate; None where nothing moves."""
    if not snapshot.lag_bytes:
        return 0.0
    rate = snapshot.settled_bytes_per_second
    return round(snapshot.lag_bytes / rate, 1) if rate else None
