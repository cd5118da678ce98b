"""``llm-loki-ship run --once``: its preconditions, progress bar and summary."""

import sys
import time
from dataclasses import replace
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from groundwork.commands.terminal import Terminal
from groundwork.settings.settings import Loaded
from groundwork.settings.units import format_bytesize
from groundwork.text import printable, span
from shipper.config import ShipperSettings
from shipper.loki.connect import UnusableError, problem_with
from shipper.telemetry.health import Snapshot, error_of

# The interval of progress lines where stdout is no terminal.
_LINE_SECONDS = 5.0


def settings_for(loaded: Loaded[ShipperSettings]) -> Loaded[ShipperSettings]:
    """Return the settings of a run that ends: its health port is any, as the lock keeps a second one out.

    Raises ``UnusableError`` where there is nothing to ship to.
    """
    settings = loaded.settings
    if not settings.loki.enabled:
        raise UnusableError(f"loki.enabled = false ({loaded.origins['loki.enabled']}): nothing to ship to")
    if problem := problem_with(settings.loki.url):
        raise UnusableError(problem)
    return replace(loaded, settings=replace(settings, shipper=replace(settings.shipper, health_port=0)))


class RunProgress:
    """Shows each snapshot, as a bar on a terminal and as a line now and then elsewhere; then the summary."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._next_line = self._started + _LINE_SECONDS
        self._most_left = 0
        self._last: Snapshot | None = None
        self._bar: Progress | None = None
        if sys.stdout.isatty():
            columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn())
            self._bar = Progress(*columns, TimeRemainingColumn(), console=Terminal())
            self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the bar; it stays on the screen."""
        if self._bar:
            self._bar.stop()

    def show(self, snapshot: Snapshot) -> None:
        """Take the newest state."""
        self._last = snapshot
        self._most_left = max(self._most_left, snapshot.lag_bytes)
        done = self._most_left - snapshot.lag_bytes
        if self._bar:
            self._bar.update(self._task, completed=done, total=self._most_left)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            left = format_bytesize(snapshot.lag_bytes)
            sys.stdout.write(
                printable(f"{format_bytesize(done)} shipped, {left} to go{_trouble(snapshot)}\n")
            )
            sys.stdout.flush()

    def summarise(self) -> None:
        """Print what was done."""
        if self._last is None:
            return
        metrics, took = self._last.metrics, max(0.001, time.monotonic() - self._started)
        done = self._most_left - self._last.lag_bytes
        refused = ", ".join(f"{count:,} {reason}" for reason, count in metrics.dropped.items() if count)
        told = {
            "files": f"{self._last.files:,}",
            "shipped": f"{metrics.entries_sent:,} lines, {format_bytesize(done)}",
            "parts": f"{metrics.parts_sent:,}",
            "late": f"{metrics.entries_late:,}",
            "refused": refused or "none",
            "left": format_bytesize(self._last.lag_bytes),
            **({"trouble": str(error_of(self._last))} if self._last.closed else {}),
            "took": f"{span(took)}, {format_bytesize(round(done / took))}/s",
        }
        sys.stdout.write(printable("".join(f"{name:<8} {text}\n" for name, text in told.items())))


def _trouble(snapshot: Snapshot) -> str:
    error = snapshot.metrics.last_error
    return f"; {error}" if error and snapshot.waiting_since is not None else ""
