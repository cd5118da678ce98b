"""An intake over real files and a real checkpoint, with a clock in hand and a Loki that obeys."""

import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from groundwork.eventlog import EventLog
from shipper.checkpoint.store import CheckpointStore
from shipper.checkpoint.tracker import Tracker
from shipper.config import LokiSettings, RunSettings, ShipperSettings
from shipper.entry import Entry, Span
from shipper.pipeline.budget import Budget
from shipper.pipeline.intake import Intake
from shipper.source.catalog import Catalog
from shipper.source.discovery import Discovery
from shipper.source.fingerprint import fingerprint
from shipper.source.followed import TrackedFile
from shipper.source.reader import Reader
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics

MINUTE = 60.0
HOUR = 60 * MINUTE


class Rig:
    """One shipper up to Loki. Time moves only by ``pass_time``; what is ``held`` is not settled yet."""

    def __init__(self, root: Path, **run: Any) -> None:
        self.root = root
        self.now, self.wall = 1000.0, time.time()
        self._run = run
        self.emitted: list[Entry] = []
        self.lost: list[tuple[str, int, int]] = []
        self.rejected: list[tuple[str, int, int]] = []
        self.held: deque[Entry] = deque()
        self.holds = False
        self.start()

    def start(self) -> None:
        """Start a process, from the last checkpoint; what an earlier one held is lost with it."""
        settings = ShipperSettings(
            log_dir=str(self.root), loki=LokiSettings(enabled=True), shipper=RunSettings(**self._run)
        )
        self.held.clear()
        self.metrics = Metrics()
        self.tracker = Tracker(fingerprint)
        self.budget = Budget(settings.shipper.memory, settings.shipper.queue_size)
        self.store = CheckpointStore(settings.state_folder)
        restored = self.store.load()
        self.catalog = Catalog(restored.files, restored.next_id)
        self.discovery = Discovery(settings.log_folder, excluded=[settings.state_folder])
        self.reader = Reader(settings.log_folder, self.discovery, self.catalog)
        self.intake = Intake(
            settings,
            Reporter(EventLog(logging.getLogger("rig")), self.metrics),
            self.metrics,
            tracker=self.tracker,
            budget=self.budget,
            emit=self._take,
            lose=lambda file, span: self.lost.append((file, span.start, span.end)),
            reject=self._reject,
            reader=self.reader,
            catalog=self.catalog,
            memories=restored.files,
        )

    def stop(self) -> None:
        """End the process without a word, as a crash does."""
        self.reader.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def save(self) -> None:
        self.intake.remember(self.store)
        if self.store.is_unsaved:
            self.store.save(self.catalog.next_id)
        self.intake.saved()

    def step(self, *named: Path) -> None:
        """Do what one turn of the loop does; events have named some paths."""
        self.intake.look({str(each) for each in named}, self.now, self.wall)
        self.intake.read(self.now, self.wall)
        if not self.holds:
            self.settle()

    def settle(self, most: int | None = None) -> None:
        """Let Loki take what is held, or the first of it."""
        for _ in range(len(self.held) if most is None else min(most, len(self.held))):
            entry = self.held.popleft()
            self.budget.give_back((entry,))
            self.tracker.settle(entry.span, entry.part)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.wall += seconds

    def run(self, seconds: float = 3.0, *named: Path) -> None:
        """Let time pass, a second at a time, and do all there is to do in each."""
        for _ in range(int(seconds)):
            self.pass_time(1.0)
            self.save()
            self.step(*named)
            for _ in range(1000):
                if not (self.intake.ready or self.intake.paused) or (self.holds and not self.intake.ready):
                    break
                self.step()

    @property
    def lines(self) -> list[bytes]:
        """The lines that have left, in their order."""
        return [each.line for each in self.emitted]

    @property
    def files(self) -> dict[str, TrackedFile]:
        """The followed files that are there, by name."""
        return {Path(each.path).name: each for each in self.intake.files if not each.lost_at}

    def events(self, event: Event) -> int:
        """How often an event was told."""
        return self.metrics.events[event.value[0]]

    def _reject(self, path: str, entry: Entry, lines: int) -> None:
        self.rejected.append((Path(path).name, lines, len(self.emitted)))
        self.budget.give_back((entry,))
        self.tracker.settle(entry.span)

    def _take(self, entries: Sequence[Entry]) -> None:
        self.budget.take(entries)
        self.emitted.extend(entries)
        self.held.extend(entries)


def line(number: int, wall: float | None = None, size: int = 120) -> bytes:
    """Return a line that is like no other, without its newline; ``wall`` is its time."""
    record: dict[str, Any] = {"type": "request", "seq": number, "provider": "anthropic"}
    if wall is not None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall))
        record["_meta"] = {"ts": f"{stamp}.{int(wall % 1 * 1e9):09}Z"}
    bare = len(orjson.dumps({**record, "pad": ""}))
    return orjson.dumps({**record, "pad": "." * max(0, size - bare)})


def append(path: Path, *lines: bytes, end: bytes = b"\n") -> Path:
    """Append lines in one write, each with ``end``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(b"".join(each + end for each in lines))
    return path


def span(entry: Entry) -> Span:
    return entry.span
