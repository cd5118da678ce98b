"""``llm-loki-ship run --once --dry-run``: what would be pushed, and where; nothing is sent or written."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from groundwork.eventlog import EventLog
from groundwork.settings.units import format_bytesize
from groundwork.text import without_credentials
from shipper.checkpoint.store import CheckpointStore
from shipper.checkpoint.tracker import Tracker
from shipper.config import ShipperSettings
from shipper.entry import Entry, Pairs
from shipper.pipeline.budget import Budget
from shipper.pipeline.intake import Intake
from shipper.source.catalog import Catalog
from shipper.source.discovery import Discovery
from shipper.source.fingerprint import fingerprint
from shipper.source.reader import Reader
from shipper.telemetry.events import Reporter
from shipper.telemetry.metrics import Metrics

# What one push holds at most.
_PUSH_BYTES = 1 << 20


class DryRun:
    """Reads as a shipper would from its checkpoint, and takes every entry for settled at once."""

    def __init__(self, settings: ShipperSettings, since_ns: int) -> None:
        self._settings = settings
        self._tracker = Tracker(fingerprint)
        self._budget = Budget(settings.shipper.memory, settings.shipper.queue_size)
        restored = CheckpointStore(settings.state_folder).load()
        metrics = Metrics()
        self._catalog = Catalog(restored.files, restored.next_id)
        discovery = Discovery(settings.log_folder, excluded=[settings.state_folder])
        self._reader = Reader(settings.log_folder, discovery, self._catalog)
        self._reader.since_ns = since_ns
        self._intake = Intake(
            settings,
            Reporter(EventLog(logging.getLogger(__name__)), metrics),
            metrics,
            tracker=self._tracker,
            budget=self._budget,
            emit=self._take,
            lose=lambda _path, _span: None,
            reject=lambda *_: None,
            reader=self._reader,
            catalog=self._catalog,
            memories=restored.files,
        )
        self._files: set[int] = set()
        self._entries: Counter[Pairs] = Counter()
        self._bytes: Counter[Pairs] = Counter()
        self._lines = self._parts = self._line_bytes = 0
        self._first = self._last = 0

    def run(self) -> list[str]:
        """Read everything, and return what to print."""
        self._intake.look((), time.monotonic(), time.time())
        while not self._intake.exhausted:
            self._intake.read(time.monotonic(), time.time())
            self._intake.saved()
        self._reader.close()
        return [*self._summary(), *self._streams()]

    def _take(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._take_one(entry)

    def _take_one(self, entry: Entry) -> None:
        span = entry.span
        self._tracker.settle(span, entry.part)
        self._files.add(span.file_id)
        self._entries[entry.stream] += 1
        self._bytes[entry.stream] += entry.size
        if entry.part:
            self._parts += 1
            return
        self._lines += 1
        self._line_bytes += span.end - span.start
        self._first = min(self._first or entry.timestamp, entry.timestamp)
        self._last = max(self._last, entry.timestamp)

    def _summary(self) -> Iterator[str]:
        url = without_credentials(self._settings.loki.url)
        yield f"would push to {url}; nothing was sent"
        every = self._settings.loki.batch_size
        pushes = sum(
            max(-(-count // every), -(-self._bytes[stream] // _PUSH_BYTES))
            for stream, count in self._entries.items()
        )
        total = len(self._catalog.files)
        told = {
            "files": f"{len(self._files):,} of {total:,}",
            "lines": f"{self._lines:,}, {format_bytesize(self._line_bytes)}",
            "entries": f"{self._entries.total():,}, of them {self._parts:,} parts",
            "pushes": f"about {pushes:,}",
            "records": f"{_time(self._first)} to {_time(self._last)}" if self._lines else "none",
        }
        yield from (f"{name:<8} {text}" for name, text in told.items())

    def _streams(self) -> Iterator[str]:
        for stream, count in self._entries.most_common():
            labels = ", ".join(f'{name}="{value}"' for name, value in stream)
            yield f"{count:>8,} entries {format_bytesize(self._bytes[stream]):>10}  {{{labels}}}"


def _time(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).isoformat(sep=" ", timespec="seconds")
