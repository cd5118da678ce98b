"""A whole pipeline over real files, with Loki's answers and the clock in hand."""

import logging
import time
from pathlib import Path
from typing import Any

from groundwork.eventlog import EventLog
from shipper.config import LokiSettings, ShipperSettings
from shipper.loki.push.push import Answer, Push, Verification
from shipper.pipeline.pipeline import Pipeline
from shipper.telemetry.events import Reporter
from shipper.telemetry.metrics import Metrics
from tests.shipper.rig import append, line


class Flow:
    """A pipeline over one folder. Time moves only by ``answer``'s ``after``."""

    def __init__(self, root: Path, **loki: Any) -> None:
        self.root = root
        self.now, self.wall = 1000.0, float(int(time.time()))
        self.pushes: list[Push] = []
        self.metrics = Metrics()
        settings = ShipperSettings(log_dir=str(root), loki=LokiSettings(enabled=True, **loki))
        self.pipeline = Pipeline(
            settings,
            Reporter(EventLog(logging.getLogger("flow")), self.metrics),
            self.metrics,
            submit=self.pushes.append,
            jitter=lambda: 0.0,
        )
        self.pipeline.hurry = True

    def write(self, count: int, age: float = 0.0, session: int = 1) -> Path:
        """Append lines of one session that happened some seconds ago, and return its file."""
        lines = [line(number, self.wall - age) for number in range(count)]
        return append(self.root / "host" / "2026-01-01" / f"20260101-000000-{session:08x}.jsonl", *lines)

    def push(self, *named: Path) -> Push:
        """Return what leaves next; file events have told of ``named``."""
        for _ in range(100):
            self.pipeline.step({str(each) for each in named}, self.now, self.wall)
            if self.pushes:
                return self.pushes.pop(0)
            self.pass_time(1.0)
        raise AssertionError("nothing leaves")

    def answer(self, answer: Answer | Verification, after: float = 0.0) -> Push:
        """Let the next push leave and be answered."""
        push = self.push()
        self.pass_time(after)
        self.pipeline.handle_answer(push.number, answer, self.now, self.wall)
        return push

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    @property
    def retried(self) -> tuple[int, int]:
        return self.metrics.entries_retried, self.metrics.bytes_retried
