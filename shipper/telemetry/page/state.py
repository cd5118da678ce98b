"""The whole state in one object: what ``/status`` answers, and what the page and ``status`` are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shipper.loki.advice import STANDSTILL
from shipper.telemetry.health import Snapshot, Status, advice_of, is_alive, report_of
from shipper.telemetry.page.files import FileRow, Survey

# New lines wait for their batch only; what is older than this waits for Loki, or behind a backlog.
_BEHIND_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class About:
    """What does not change while a process runs; ``started`` is in seconds since 1970.

    ``loki`` is the address without credentials; ``settings`` are rows of key, value and origin.
    """

    version: str = ""
    started: float = 0.0
    loki: str = ""
    log_dir: str = ""
    settings: Sequence[Mapping[str, str]] = ()


def state_of(
    snapshot: Snapshot, survey: Survey, about: About, now: float, wall: float, *, hint: str = ""
) -> dict[str, Any]:
    """Return the state report; ``now`` is on the snapshot's monotonic clock, ``wall`` is since 1970.

    ``hint`` is what a person should know of the surroundings. Times are RFC 3339 or seconds since 1970, ages
    seconds, sizes bytes. No secret is in it.
    """
    health = report_of(snapshot, now, wall)
    alive = is_alive(snapshot, now)
    word = _word(snapshot, health) if alive else Status.ERROR
    return {
        "state": word,
        "hint": hint,
        "version": about.version,
        "started": _time(about.started),
        "uptime_seconds": round(wall - about.started, 1),
        "loki": about.loki,
        "log_dir": about.log_dir,
        "health": health,
        "alive": alive,
        "advice": "" if word != Status.ERROR else advice_of(snapshot) if alive else STANDSTILL,
        "error_age_seconds": _age(snapshot.metrics.last_error_time, wall),
        "throughput": {
            "bytes_per_second": round(snapshot.settled_bytes_per_second, 1),
            "lines_per_second": round(snapshot.settled_lines_per_second, 2),
        },
        "backlog": {
            "bytes": snapshot.lag_bytes,
            "oldest_unsent_seconds": health["oldest_unsent_seconds"],
            "catch_up_seconds": health["catch_up_seconds"],
        },
        "disk": {"folder_bytes": snapshot.folder_bytes, "free_bytes": snapshot.free_bytes},
        "dropped": {str(reason): count for reason, count in snapshot.metrics.dropped.items()},
        "files_total": survey.total,
        "files": [row_of(each, wall) for each in survey.rows],
        "history": [point._asdict() for point in snapshot.history],
        "errors": [
            {"time": _time(each.wall), "event": each.event, "text": each.text, "times": each.times}
            for each in reversed(snapshot.metrics.mishaps)
        ],
        "settings": list(about.settings),
    }


def row_of(row: FileRow, wall: float) -> dict[str, Any]:
    """Return a file as it stands in the report."""
    return {
        "path": row.path,
        "size": row.size,
        "settled": row.settled,
        "waiting": row.waiting,
        "state": row.state,
        "age_seconds": _age(row.changed_at, wall),
    }


def _age(then: float | None, wall: float) -> float | None:
    return round(max(0.0, wall - then), 1) if then else None


def _time(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds")


def _word(snapshot: Snapshot, health: Mapping[str, Any]) -> str:
    status = Status(health["status"])
    if status is not Status.OK:
        return status
    if snapshot.draining:
        return "draining"
    return "catching_up" if health["oldest_unsent_seconds"] > _BEHIND_SECONDS else "ok"
