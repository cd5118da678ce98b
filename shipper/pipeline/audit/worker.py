"""The thread that reads back from Loki: one order at a time, at a small share of a CPU."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from shipper.config import LokiSettings, ShipperSettings
from shipper.entry import Pairs
from shipper.loki.connect import UnusableError, connect
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import AskAgainError, CannotAskError, Measurement, TooMuchError
from shipper.loki.query.reading import Reading
from shipper.loki.wiring import sender_of
from shipper.pipeline.audit.comparison import Accounts, Finding
from shipper.pipeline.audit.files import FileAudit, FileState
from shipper.pipeline.audit.ledger import Key
from shipper.pipeline.audit.lines import FileLine, lines_in
from shipper.pipeline.audit.repair import StoppedError, send_again
from shipper.record.entries import Labelling
from shipper.record.timestamp import FAR_AHEAD_NS

# After so many lines the thread rests, for so many times as long as they took: reading back is never urgent.
_LINES_BETWEEN_RESTS = 200
_REST = 20.0
# One query for all windows and one for the files: an answer that takes longer is not waited for.
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class OrderedWindow:
    """A window: its lines are looked at one by one unless Loki has just ``size`` bytes of them.

    With less than ``least`` bytes it cannot be whole.
    """

    key: Key
    size: int
    least: int
    files: tuple[FileState, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One audit: windows of ``step`` nanoseconds, and ``files`` by id that retention wants to remove.

    A line that tells a time after ``latest``, in nanoseconds, has none.
    """

    step: int
    latest: int
    windows: tuple[OrderedWindow, ...] = ()
    files: tuple[tuple[int, FileState], ...] = ()


@dataclass(slots=True)
class Report:
    """The result: Loki's bytes of each window, windows whose lines are all there, and files read back.

    ``missing`` are the lines that Loki had forgotten, ``repaired`` how many entries went again.
    ``trouble`` is why the audit ended early.
    """

    sizes: dict[Key, int] = field(default_factory=dict)
    whole: list[Key] = field(default_factory=list)
    files: list[tuple[int, int]] = field(default_factory=list)
    missing: list[Finding] = field(default_factory=list)
    repaired: int = 0
    trouble: str = ""


class AuditWorker:
    """Carries out orders in a thread of its own; ``submit`` and ``take`` belong to the loop."""

    def __init__(self, loki: LokiSettings, line_bytes: int) -> None:
        self._loki = loki
        self._labelling = Labelling(loki.environment, loki.labels, line_bytes, quotes=False)
        self._orders: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, order: Order) -> None:
        """Hand over an order."""
        self._orders.put(order)

    def take(self) -> Report | None:
        """Return a report that has come, or ``None``."""
        try:
            return self._reports.get_nowait()
        except queue.Empty:
            return None

    def stop(self) -> None:
        """Let the thread end once it is free."""
        self._orders.put(None)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            report = Report()
            try:
                self._carry_out(order, report)
            except (AskAgainError, CannotAskError, TooMuchError, UnusableError, StoppedError) as exc:
                report.trouble = str(exc)
            except OSError as exc:
                report.trouble = f"{exc.filename}: {exc.strerror or exc}"
            self._reports.put(report)

    def _carry_out(self, order: Order, report: Report) -> None:
        with connect(self._loki) as http:
            reader = LokiReader(http, self._loki.url, _ANSWER_SECONDS)
            reading = Reading(reader.ask, reader.measure)
            if order.windows:
                report.sizes = _sizes(reading, order)
                for window in order.windows:
                    if report.sizes.get(window.key, 0) != window.size:
                        self._look_at(window, order, reading, report)
            for file_id, state in order.files:
                if self._is_whole(state, order, reading, report):
                    report.files.append((file_id, state.settled))

    def _look_at(self, window: OrderedWindow, order: Order, reading: Reading, report: Report) -> None:
        end = window.key[1]
        whole = True
        for state in window.files:
            whole &= self._is_whole(state, order, reading, report, lambda at: end - order.step < at <= end)
        if whole and report.sizes.get(window.key, 0) >= window.least:
            report.whole.append(window.key)

    def _is_whole(
        self,
        state: FileState,
        order: Order,
        reading: Reading,
        report: Report,
        concerns: Callable[[int], bool] = lambda _: True,
    ) -> bool:
        """Compare lines with Loki, send again what is missing, and tell whether nothing was.

        ``concerns`` tells by its time whether a line is compared.
        """
        lines = lines_in_order(state, self._labelling, order.latest)
        try:
            found = FileAudit(state, reading, Accounts()).run(
                line for line in lines if concerns(line.entries.first.timestamp)
            )
        except FileNotFoundError:
            return True
        lost = [each for each in found if each.kind in {"missing", "cut"}]
        if not lost:
            return True
        report.missing += lost
        with sender_of(self._loki) as send:
            audit = FileAudit(state, reading, Accounts(), lambda entries: send_again(send, entries))
            spans = [(each.start, each.end) for each in lost]
            audit.run(
                line
                for line in lines_in_order(state, self._labelling, order.latest)
                if any(start <= line.entries.first.span.start < end for start, end in spans)
            )
        report.repaired += audit.repaired
        return False


def started_worker(settings: ShipperSettings) -> AuditWorker | None:
    """Return a worker whose thread runs; ``None`` if ``shipper.audit`` is off."""
    if not settings.shipper.audit:
        return None
    worker = AuditWorker(settings.loki, settings.shipper.max_line_bytes)
    worker.start()
    return worker


def lines_in_order(state: FileState, labelling: Labelling, latest: int) -> Iterator[FileLine]:
    """Yield the lines of a file up to what is settled, with rests; no line tells a time after ``latest``."""
    began = time.monotonic()
    lines = lines_in(state.path, labelling, now=latest - FAR_AHEAD_NS, end=state.settled)
    for number, line in enumerate(lines, 1):
        yield line
        if number % _LINES_BETWEEN_RESTS == 0:
            time.sleep(min(1.0, _REST * (time.monotonic() - began)))
            began = time.monotonic()


def _sizes(reading: Reading, order: Order) -> dict[Key, int]:
    """Ask Loki once for the bytes of all windows, and return them by window."""
    keys = {each.key for each in order.windows}
    ends = [end for _, end in keys]
    names = sorted({name for stream, _ in keys for name, _ in stream})
    query = f'sum by ({", ".join(names)}) (bytes_over_time({{app="llm-proxy"}} [{order.step // 10**6}ms]))'
    sizes: dict[Key, int] = {}
    for sample in reading.measure(Measurement(query, min(ends), max(ends), order.step)):
        stream: Pairs = tuple(sorted((name, value) for name, value in sample.labels.items() if value))
        if (stream, sample.at) in keys:
            sizes[stream, sample.at] = round(sample.value)
    return sizes
