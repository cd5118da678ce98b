"""The one module that knows the order: look, read, gather, push, settle, remember.

One loop calls ``step`` and ``settle`` and owns all state; nothing here waits or takes a lock.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import partial

from shipper.checkpoint.inflight import InflightLog
from shipper.checkpoint.recovery import Recovery
from shipper.checkpoint.rejected import RejectedList
from shipper.checkpoint.store import CheckpointError, CheckpointStore
from shipper.checkpoint.tracker import Tracker
from shipper.config import ShipperSettings
from shipper.entry import DropReason, Entry
from shipper.loki.advice import STATE_FOLDER
from shipper.loki.push.outcome import Outcome, Refused
from shipper.loki.push.push import Answer, Push, Verification
from shipper.loki.push.workers import TIME
from shipper.pipeline.audit.read_back import FileStates, ReadBack
from shipper.pipeline.audit.worker import AuditWorker
from shipper.pipeline.budget import Budget
from shipper.pipeline.delivery import Delivery
from shipper.pipeline.intake import Intake
from shipper.pipeline.rejections import Refusals, Settlement
from shipper.pipeline.retention.housekeeping import Housekeeping
from shipper.pipeline.retention.trash import Trash
from shipper.record.split import LEAST_BYTES
from shipper.source.catalog import Catalog
from shipper.source.discovery import Discovery
from shipper.source.fingerprint import fingerprint
from shipper.source.reader import Reader
from shipper.telemetry.clock import LokiClock
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.health import Snapshot
from shipper.telemetry.metrics import Metrics
from shipper.telemetry.outage import Standstill
from shipper.telemetry.page.files import Survey, Trouble, survey
from shipper.telemetry.rates import History, Rate

# A crash repeats at most what was delivered in this time, for at most one fsync in it.
_SAVE_SECONDS = 1.0


class Pipeline:
    """The life of every line, from the folder to the checkpoint; ``intake`` is its first half.

    Pushes leave through ``submit``; ``jitter`` returns a number in [0, 1). While ``hurry`` is set, batches
    leave without waiting for more.
    """

    def __init__(
        self,
        settings: ShipperSettings,
        reporter: Reporter,
        metrics: Metrics,
        *,
        submit: Callable[[Push], None],
        jitter: Callable[[], float],
        auditor: AuditWorker | None = None,
        ask_time: Callable[[], None] | None = None,
    ) -> None:
        self._reporter = reporter
        self._root = str(settings.log_folder)
        self._metrics = metrics
        self._store = CheckpointStore(settings.state_folder)
        self._listed = RejectedList(settings.state_folder)
        self._refusals = Refusals(self._listed, reporter, metrics)
        self._tracker = Tracker(fingerprint)
        self._budget = Budget(settings.shipper.memory, settings.shipper.queue_size)
        self._settlement = Settlement(self._tracker, self._budget, metrics, self._refusals.has)
        self._log = InflightLog(settings.state_folder)
        self._recovery = Recovery(self._log, self._tracker)
        self._submit = submit
        self._delivery = Delivery(
            settings.loki, reporter, metrics, log=self._log, submit=self._name_and_submit, jitter=jitter
        )
        self.intake = self._restore(settings)
        states = FileStates(self.intake.path_of, self._tracker.offset, self._listed)
        self._read_back = ReadBack(auditor, settings, reporter, metrics, state_of=states)
        self._housekeeping = Housekeeping(
            Trash(settings.log_folder),
            settings.shipper.retention,
            reporter,
            discovery=self._discovery,
            reader=self.reader,
            intake=self.intake,
            refused=self._listed.files,
            read_back=self._read_back.allows,
        )
        self._restart_log()
        self._clock = LokiClock(reporter, ask_time)
        self._now = self._wall = self._next_save = 0.0
        self._touched, self.hurry = True, False
        self._snapshot: Snapshot | None = None
        self._rate, self._line_rate = Rate(), Rate()
        self._history, self._standstill = History(), Standstill(settings.loki.batch_wait)
        self.saved_at: float | None = None

    def step(self, named: set[str], now: float, wall: float) -> None:
        """Do all that can be done now; what waits leaves before more is read, so that both go on.

        ``named`` are paths that events told of, ``now`` is a monotonic clock's, ``wall`` is since 1970.
        """
        self._now, self._wall = now, wall
        self._touched |= self.intake.look(named, now, wall)
        self._touched |= self._delivery.push(now, wall)
        theirs = self._clock.step(now, wall, waits=self._ahead(now, wall) is not None)
        self.intake.window.oldest_accepted = self._delivery.age_limit.oldest
        self.intake.read(now, theirs, self._delivery.set_aside, self._clock.latest(now, wall))
        hurry = self.hurry or self.intake.paused
        self._delivery.gather(now, wall, hurry=hurry, more=self.intake.has_more)
        self._touched |= self._delivery.push(now, wall)
        self._refuse_all(self._delivery.age_limit.take())
        if now >= self._next_save:
            self.save(now, wall)
        if self._read_back.tick(now, theirs, self._clock.latest(now, wall)):
            self._housekeeping.look_again()
        self._touched |= self._housekeeping.tidy(now, wall)

    def handle_answer(self, number: int, answer: Answer | Verification, now: float, wall: float) -> None:
        """Take an answer of Loki's."""
        self._touched = True
        if isinstance(answer, Answer):
            self._clock.note(answer)
        if number == TIME:
            return
        outcome = self._delivery.handle_answer(number, answer, now, wall)
        theirs = wall + self._clock.behind(now, wall)
        self._settlement.deliver(outcome.delivered, theirs)
        self._read_back.note(outcome.delivered, theirs)
        if outcome.too_long:
            self._learn_limit(outcome, answer.text if isinstance(answer, Answer) else "")
        self._refuse_all(outcome.refused)

    def look(self, named: set[str], now: float, wall: float) -> None:
        """Only look at what there is; for a Loki that cannot be used."""
        self._touched |= self.intake.look(named, now, wall)

    def next_wake(self) -> float:
        """Return when ``step`` has something to do if nothing happens before; the past means at once."""
        if self.intake.ready:
            return 0.0
        times = [self.reader.next_look, self._delivery.next_due()]
        if self.intake.has_news or self._store.is_unsaved:
            times.append(self._next_save)
        return min(each for each in times if each is not None)

    @property
    def idle(self) -> bool:
        """Tell whether every complete line that was found is settled."""
        return self.intake.exhausted and not self._budget.held_entries

    def save(self, now: float, wall: float) -> None:
        """Write the checkpoint, if anything has been settled since the last one."""
        self._touched |= self._settlement.finish_all(self._refusals.write())
        self.intake.remember(self._store)
        if not self._store.is_unsaved:
            return
        self._next_save = now + _SAVE_SECONDS
        self._touched = True
        try:
            self._store.save(self._catalog.next_id)
        except CheckpointError as exc:
            self._reporter.report(Event.CHECKPOINT_FAILED, reason=str(exc))
            self._metrics.failed(f"checkpoint: {exc}", wall, STATE_FOLDER)
            return
        finally:
            self.intake.saved()
        self.saved_at = now
        if self._log.is_long:
            self._restart_log()

    def snapshot(self, *, enabled: bool, unusable: str, now: float, wall: float) -> Snapshot:
        """Return a copy of the state for other threads; where nothing has happened, the last one again."""
        if self._snapshot is None or self._touched:
            self._touched = False
            self._snapshot = self._take_snapshot(enabled=enabled, unusable=unusable, now=now)
        self._history.note(self._settlement.bytes, self._snapshot.lag_bytes, now, wall)
        oldest, behind = self._snapshot.oldest_time, self._clock.behind(now, wall)
        age = wall + behind - oldest / 1e9 if oldest else 0.0
        return replace(
            self._snapshot,
            clock_behind=behind,
            ahead=self._ahead(now, wall) if self._clock.tells(now) else None,
            ticked_at=now,
            stuck_since=self._standstill.see(age, self._snapshot.lag_bytes, self._snapshot.oldest_parts, now),
            refused=self._refusals.left,
            unusable=unusable,
            draining=self.hurry,
            history=self._history.points,
        )

    def _ahead(self, now: float, wall: float) -> tuple[str, float] | None:
        waiting = self.intake.window.ahead(int((wall + self._clock.behind(now, wall)) * 1e9))
        return (self.intake.path_of(waiting[0]), waiting[1] / 1e9) if waiting else None

    def _take_snapshot(self, *, enabled: bool, unusable: str, now: float) -> Snapshot:
        times = [self._tracker.oldest(), self.intake.window.earliest]
        lag = self.intake.lag
        return Snapshot(
            enabled=enabled,
            unusable=unusable,
            exhausted=self._delivery.exhausted,
            state_fails=self._store.fails,
            waiting_since=self._delivery.waiting_since,
            ticked_at=now,
            metrics=deepcopy(self._metrics),
            lag_bytes=lag.unsettled,
            parked=tuple((self.intake.path_of(each.file_id), each.start) for each in self._delivery.parked),
            structured_metadata=bool(self._delivery.metadata),
            settled_bytes_per_second=self._rate.per_second(self._settlement.bytes, now),
            settled_lines_per_second=self._line_rate.per_second(self._metrics.entries_sent, now),
            torn_bytes=lag.torn,
            oldest_time=min((each for each in times if each is not None), default=None),
            oldest_parts=self._tracker.oldest_parts(),
            files=len(self._catalog.files),
            folder_bytes=self._housekeeping.disk.used,
            free_bytes=self._housekeeping.disk.free,
            open_files=self.reader.open_files,
            held_bytes=self._budget.held_bytes,
            in_flight=self._delivery.in_flight,
            checkpoint_saved_at=self.saved_at,
            closed=dict(self.reader.closed_paths),
        )

    def survey(self) -> Survey:
        """Return the files that need attention most."""
        parked = frozenset(each.file_id for each in self._delivery.parked)
        trouble = Trouble(parked, self.reader.unreadable, self._listed.files())
        return survey(self.intake.files, self._tracker.offset, self._root, trouble)

    def close(self) -> None:
        """Close every file."""
        self.reader.close()
        self._log.close()
        self._read_back.close()

    def _name_and_submit(self, push: Push) -> None:
        """Let a push leave once the checkpoint names its files: the in-flight log knows them by their ids."""
        if any(map(self._store.lacks, {each.span.file_id for each in push.entries})):
            self.save(self._now, self._wall)
        self._submit(push)

    def _restart_log(self) -> None:
        try:
            self._recovery.restart_log(self.intake.line_limit)
        except OSError as exc:
            self._reporter.report(Event.CHECKPOINT_FAILED, reason=f"in-flight log: {exc.strerror or exc}")

    def _restore(self, settings: ShipperSettings) -> Intake:
        restored = self._store.load()
        if restored.warning:
            self._reporter.report(Event.CHECKPOINT_UNREADABLE, reason=restored.warning)
        self._catalog = Catalog(restored.files, restored.next_id)
        self._discovery = Discovery(settings.log_folder, excluded=[settings.state_folder])
        self.reader = Reader(settings.log_folder, self._discovery, self._catalog)
        return Intake(
            settings,
            self._reporter,
            self._metrics,
            tracker=self._tracker,
            budget=self._budget,
            emit=self._emit,
            lose=self._refusals.lose,
            reject=partial(self._refusals.set_aside, self._delivery.age_limit),
            reader=self.reader,
            catalog=self._catalog,
            memories=restored.files,
        )

    def _emit(self, entries: Sequence[Entry]) -> None:
        """Send entries on: to Loki, unless an earlier process has brought them there."""
        self._touched = True
        self._budget.take(entries)
        if self._recovery.is_over:
            self._delivery.add(entries, self._now)
            return
        for entry in entries:
            if self._recovery.is_stored(entry):
                self._settlement.finish(entry)
            elif (pushed_at := self._recovery.pushed_at(entry)) is not None:
                self._delivery.verify(entry, pushed_at)
            else:
                self._delivery.add((entry,), self._now)

    def _refuse_all(self, refused: Iterable[Refused]) -> None:
        for each in refused:
            self._refusals.add(self.intake.path_of(each.entry.span.file_id), each)
        self._touched |= self._settlement.finish_all(self._refusals.write())

    def _learn_limit(self, outcome: Outcome, text: str) -> None:
        """Take the limit that Loki has named, and cut to it what was too long."""
        limit = outcome.line_limit or self.intake.line_limit // 2
        for entry in outcome.too_long:
            if self.intake.path_of(entry.span.file_id) and (entry.length <= limit or limit < LEAST_BYTES):
                self._refuse_all([Refused(entry, DropReason.LINE_TOO_LONG, text)])
            else:
                self._budget.give_back((entry,))
                self._metrics.maybe_duplicated += self.intake.relimit(limit, entry)
