"""When to read back, and what the results mean: the audit of a running shipper."""

from collections.abc import Callable, Iterable, Sequence

from shipper.checkpoint.read_back import ReadBackStore
from shipper.checkpoint.rejected import Places, RejectedList
from shipper.config import ShipperSettings
from shipper.entry import Entry
from shipper.loki.advice import FORGOTTEN
from shipper.pipeline.audit.files import FileState
from shipper.pipeline.audit.ledger import Key, Ledger, Window
from shipper.pipeline.audit.worker import AuditWorker, Order, OrderedWindow, Report
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics

_NANOSECONDS = 1_000_000_000
# Files that one audit reads back for retention: with a minute between audits, thousands a day.
_FILES_A_ROUND = 10
_ROUND_SECONDS = 60.0


class FileStates:
    """What is known of a file by its id, for an audit; ``None`` where it is not there."""

    def __init__(
        self, path_of: Callable[[int], str], offset: Callable[[int], int], listed: RejectedList
    ) -> None:
        self._path_of = path_of
        self._offset = offset
        self._listed = listed

    def __call__(self, file_id: int) -> FileState | None:
        """Return the state of a file."""
        path = self._path_of(file_id)
        if not path:
            return None
        rejected = self._listed.undelivered() if self._listed.names(path) else ()
        places = Places([each for each in rejected if each.file == path])
        return FileState(path, self._offset(file_id), places)


class ReadBack:
    """The audits of one process: windows once in ``shipper.audit``, files for retention once a minute.

    Without a ``worker`` nothing is read back, and retention goes by what was acknowledged.
    """

    def __init__(
        self,
        worker: AuditWorker | None,
        settings: ShipperSettings,
        reporter: Reporter,
        metrics: Metrics,
        *,
        state_of: Callable[[int], FileState | None],
    ) -> None:
        interval = settings.shipper.audit
        self._worker = worker
        self._interval = interval
        self._reporter = reporter
        self._metrics = metrics
        self._state_of = state_of
        self._ledger = Ledger(interval)
        self._store = ReadBackStore(settings.state_folder)
        self._files = self._store.load()
        self._wanted: dict[int, int] = {}
        self._due: dict[Key, Window] = {}
        self._busy = False
        self._next_windows = self._next_files = 0.0

    def note(self, entries: Iterable[Entry], wall: float) -> None:
        """Take entries that Loki acknowledged; ``wall`` is Loki's time."""
        if self._worker:
            self._ledger.note(entries, int(wall * _NANOSECONDS))

    def allows(self, file_id: int, size: int) -> bool:
        """Tell whether a file was read back whole; one that was not is read back soon."""
        if self._worker is None or self._files.get(file_id) == size:
            return True
        self._wanted[file_id] = size
        return False

    def tick(self, now: float, wall: float, latest: int) -> bool:
        """Take a report that has come and submit what is due; tell whether anything happened.

        ``wall`` is Loki's time, ``latest`` the latest one that a line may tell, in nanoseconds.
        """
        if self._worker is None:
            return False
        report = self._worker.take()
        if report is not None:
            self._take_report(report, wall)
        if not self._busy and (order := self._next_order(now, wall, latest)):
            self._busy = True
            self._worker.submit(order)
        return report is not None

    def _next_order(self, now: float, wall: float, latest: int) -> Order | None:
        windows: Sequence[OrderedWindow] = ()
        if now >= self._next_windows:
            self._next_windows = now + self._interval
            self._due = self._ledger.due(int(wall * _NANOSECONDS))
            windows = [self._ordered(key, window) for key, window in self._due.items()]
            if not windows:
                self._metrics.read_back_until = self._ledger.read_back_until(int(wall * _NANOSECONDS)) / 1e9
        files: list[tuple[int, FileState]] = []
        if self._wanted and now >= self._next_files:
            self._next_files = now + min(_ROUND_SECONDS, self._interval)
            files = self._next_wanted()
        if not windows and not files:
            return None
        return Order(self._ledger.step, latest, tuple(windows), tuple(files))

    def close(self) -> None:
        """Stop the thread."""
        if self._worker:
            self._worker.stop()

    def _next_wanted(self) -> list[tuple[int, FileState]]:
        chosen = list(self._wanted)[:_FILES_A_ROUND]
        states = [(file_id, self._state_of(file_id)) for file_id in chosen]
        for file_id in chosen:
            del self._wanted[file_id]
        return [(file_id, state) for file_id, state in states if state is not None]

    def _ordered(self, key: Key, window: Window) -> OrderedWindow:
        states = [self._state_of(file_id) for file_id in sorted(window.files)]
        size = window.size if window.seen < 0 else window.seen
        return OrderedWindow(key, size, window.size, tuple(each for each in states if each is not None))

    def _take_report(self, report: Report, wall: float) -> None:
        self._busy = False
        now = int(wall * _NANOSECONDS)
        metrics = self._metrics
        if report.sizes or not report.trouble:
            self._ledger.differing(self._due, report.sizes)
        for key in report.whole:
            self._ledger.mark_whole(key, report.sizes.get(key, 0))
        if report.trouble:
            self._reporter.report(Event.AUDIT_FAILED, reason=report.trouble)
        else:
            if self._due:
                metrics.entries_missing = sum(each.entries for each in report.missing)
                metrics.read_back_until = self._ledger.read_back_until(now) / 1e9
            self._ledger.forget(now)
        self._due = {}
        self._tell(report, wall)
        if report.files:
            self._files.update(report.files)
            self._save()

    def _tell(self, report: Report, wall: float) -> None:
        """Tell what Loki had forgotten, and what went again."""
        if not report.missing:
            return
        metrics = self._metrics
        count = sum(each.entries for each in report.missing)
        metrics.entries_forgotten += count
        metrics.entries_restored += report.repaired
        first = report.missing[0]
        reason = f"Loki has forgotten {count:,} acknowledged entries, from line {first.first} of {first.file}"
        metrics.failed(reason, wall, FORGOTTEN)
        for each in report.missing:
            self._reporter.report(
                Event.ENTRY_FORGOTTEN,
                file=each.file,
                first_line=each.first,
                last_line=each.last,
                entries=each.entries,
            )

    def _save(self) -> None:
        try:
            self._store.save(self._files)
        except OSError as exc:
            self._reporter.report(Event.CHECKPOINT_FAILED, reason=f"read-back: {exc.strerror or exc}")
