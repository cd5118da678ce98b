"""State reports for tests, made as the shipper makes them."""

from typing import Any

from shipper.telemetry.metrics import Metrics
from shipper.telemetry.page.files import FileRow, FileState, Survey
from shipper.telemetry.page.state import About, state_of
from shipper.telemetry.rates import Point
from tests.shipper.telemetry.test_health import snapshot

STARTED, NOW = 1_795_855_000.0, 1_795_858_600.0
ABOUT = About(
    "1.2.3",
    STARTED,
    "http://loki:3100/loki/api/v1/push",
    "/logs",
    [
        {"key": "log_dir", "value": '"/logs"', "origin": "flag --log-dir"},
        {"key": "loki.password", "value": "(set)", "origin": "environment variable LLM_PROXY_LOKI_PASSWORD"},
        {"key": "log_format", "value": '"auto"', "origin": "default"},
    ],
)
ROWS = (
    FileRow("api.anthropic.com/2026-11-28/a.jsonl", 1000, 250, 750, FileState.WAITING, NOW - 60),
    FileRow("api.anthropic.com/2026-11-28/b.jsonl", 1000, 1000, 0, FileState.DONE, NOW - 3600),
)
HISTORY = tuple(Point(int(NOW) - 10 * step, 2048.0 * (step % 3), 1024 * step) for step in range(89, -1, -1))


def report(rows: tuple[FileRow, ...] = ROWS, about: About = ABOUT, **more: Any) -> dict[str, Any]:
    """Return the report of a snapshot with these fields, at ``NOW``."""
    shown = snapshot(**{"history": HISTORY, "metrics": Metrics(), **more})
    return state_of(shown, Survey(len(rows), rows), about, now=100.0, wall=NOW)
