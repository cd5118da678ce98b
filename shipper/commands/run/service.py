"""The life of the process: start, run, drain, stop."""

import queue
import random
import signal
import time
from contextlib import suppress
from importlib.metadata import version
from types import FrameType

from groundwork.disk.files import exposure_of
from groundwork.disk.lock import FolderHeldError, FolderLock
from groundwork.eventlog import EventLog
from groundwork.settings.settings import Loaded
from groundwork.text import without_credentials
from shipper.commands.run.drain import Drain, Round, Verdict
from shipper.commands.run.memory import Trimmer
from shipper.commands.run.surroundings.destination import tell_destination
from shipper.commands.run.surroundings.event_watch import EventWatch
from shipper.commands.run.surroundings.port import StartError, bind
from shipper.config import ShipperSettings
from shipper.loki.connect import UnusableError, doubts_about
from shipper.loki.push.push import Answer, Push, Verification
from shipper.loki.push.workers import Pushers
from shipper.loki.wiring import pushers_of
from shipper.pipeline.audit.worker import started_worker
from shipper.pipeline.pipeline import Pipeline
from shipper.source.events.watch import Watch
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.export.publisher import Publisher, Tell
from shipper.telemetry.health import Snapshot, error_of
from shipper.telemetry.metrics import Metrics
from shipper.telemetry.page.about import about_of
from shipper.telemetry.proxy_presence import MissingProxyNotice, has_left, is_there, works_with

EXIT_DELIVERED, EXIT_MACHINE, EXIT_UNSHIPPED = 0, 1, 3
# Nothing to do still means a look at the clock this often, for liveness and for signals.
_TICK_SECONDS = 1.0
# News of files is gathered for this long, as many are written at a time: a step for each was half of the CPU
# of a steady stream of lines. A line's wait for its batch begins with its own time, and so takes this in.
_GATHER_SECONDS = 0.05
# A file or folder that was missing may be there by then.
_RETRY_SECONDS = 5.0

# SIGHUP has token and certificates read again; the others end the process.
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_Message = tuple[int, Answer | Verification] | None


class Service:
    """One shipper. ``run`` returns the exit code.

    With ``once`` it ends where all files do, and tells each snapshot. Files last written before ``since_ns``
    are left out.
    """

    def __init__(
        self, loaded: Loaded[ShipperSettings], log: EventLog, once: Tell | None = None, since_ns: int = 0
    ) -> None:
        self._settings = settings = loaded.settings
        self._metrics = Metrics()
        self._reporter = Reporter(log, self._metrics)
        for warning in loaded.warnings:
            self._reporter.report(Event.SETTING_IGNORED, warning=warning)
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._signals = 0
        self._trimmer = Trimmer()
        self._unusable = ""
        self._next_try, self._reread = 0.0, False
        self._pushers: Pushers | None = None
        self._watch = Watch(settings.log_folder, settings.state_folder, self._wake)
        self._once, self._since_ns = once is not None, since_ns
        self._drain: Drain | Round | None = Round() if once else None
        self._port = bind(
            loaded,
            self._empty_snapshot(),
            about_of(loaded, version("llm-proxy"), time.time()),
            self._wake,
        )
        self._publisher = Publisher(
            self._port,
            self._reporter,
            environment=settings.loki.environment,
            people_read=log.human,
            tell=once,
        )

    def run(self) -> int:
        """Serve until a signal comes, then deliver what is left. Raises ``StartError``."""
        handlers = {each: signal.signal(each, self._on_signal) for each in _SIGNALS}
        self._start_export()
        if self._unusable or not self._settings.loki.enabled:
            self._show_empty()
        self._port.start()
        self._reporter.report(Event.LISTENING, url=self._port.url, port=self._port.port)
        try:
            if not self._settings.loki.enabled:
                return self._stand_by()
            return self._follow() if self._await_folder() else EXIT_DELIVERED
        finally:
            self._port.stop()
            for each, handler in handlers.items():
                signal.signal(each, handler)

    def _start_export(self) -> None:
        loki = self._settings.loki
        if not loki.enabled:
            self._reporter.report(Event.EXPORT_DISABLED)
            return
        self._next_try = time.monotonic() + _RETRY_SECONDS
        self._reread, before = False, self._pushers
        try:
            self._pushers = pushers_of(loki, lambda *done: self._inbox.put(done))
        except UnusableError as exc:
            told, self._unusable = self._unusable, str(exc)
            if told != self._unusable:
                self._reporter.report(Event.EXPORT_UNUSABLE, reason=self._unusable)
            return
        self._unusable = ""
        if before:
            before.stop()
        self._pushers.start()
        self._reporter.report(Event.EXPORT_ENABLED, url=without_credentials(loki.url))
        for doubt in doubts_about(loki):
            self._reporter.report(Event.EXPORT_DOUBTFUL, doubt=doubt)

    def _await_folder(self) -> bool:
        """Wait until the log folder is there; False when a signal came before."""
        folder = self._settings.log_folder
        awaited = False
        while not is_there(folder):
            if not awaited:
                self._reporter.report(Event.FOLDER_AWAITED, folder=str(folder))
                awaited = True
            self._show_empty()
            self._receive(_TICK_SECONDS)
            if self._signals and not is_there(folder):
                return False
        self._reporter.report(Event.FOLDER_FOUND, folder=str(folder))
        return True

    def _own_state(self) -> FolderLock:
        """Keep a second shipper out; where no lock can be written, go on without one."""
        lock = FolderLock(self._settings.own_lock, self._settings.state_root)
        try:
            lock.acquire()
        except FolderHeldError as exc:
            raise StartError(f"another llm-loki-ship works with {self._settings.state_folder}") from exc
        except OSError as exc:
            self._reporter.report(Event.CHECKPOINT_FAILED, reason=f"lock: {exc.strerror or exc}")
        return lock

    def _follow(self) -> int:
        lock, folder = self._own_state(), self._settings.log_folder
        tell_destination(self._settings, self._reporter)
        exposure = exposure_of(folder, own=False)
        if exposure:
            self._reporter.report(Event.FOLDER_EXPOSED, folder=str(folder), exposure=exposure)
        pipeline = Pipeline(
            self._settings,
            self._reporter,
            self._metrics,
            submit=self._submit,
            jitter=random.random,
            ask_time=lambda: self._pushers.ask_time() if self._pushers else None,
            auditor=None if self._once or not self._pushers else started_worker(self._settings),
        )
        pipeline.reader.since_ns = self._since_ns
        events = EventWatch(self._watch, self._reporter)
        try:
            return self._loop(pipeline, events, MissingProxyNotice(folder, time.monotonic()))
        finally:
            self._watch.stop()
            pipeline.close()
            lock.release()
            if self._pushers:
                self._pushers.stop()

    def _stand_by(self) -> int:
        """Stay up with nothing to do: a container that exits may take its task down."""
        while not self._signals:
            self._show_empty()
            self._receive(_TICK_SECONDS)
        return EXIT_DELIVERED

    def _loop(self, pipeline: Pipeline, events: EventWatch, absence: MissingProxyNotice) -> int:
        while True:
            events.listen(time.monotonic(), pipeline.reader.deaf)
            wake = min(pipeline.next_wake(), self._publisher.due_at)
            self._receive(max(0.0, wake - time.monotonic()), pipeline)
            now, wall = time.monotonic(), time.time()
            named = self._watch.take()
            if self._reread or (self._unusable and now >= self._next_try):
                self._start_export()
            if self._unusable:
                pipeline.look(named, now, wall)
            else:
                pipeline.step(named, now, wall)
            self._publish(pipeline, now, wall)
            if not self._drain and absence.is_news(now):
                self._reporter.report(Event.PROXY_MISSED, folder=str(self._settings.log_folder))
            if self._signals or self._once:
                verdict = self._wind_down(pipeline, now, wall)
                if verdict in {Verdict.DONE, Verdict.TIME_IS_UP}:
                    return self._end(pipeline, now, wall)

    def _receive(self, wait: float, pipeline: Pipeline | None = None) -> None:
        """Handle all messages in the inbox; wait up to ``wait`` seconds for the first.

        A file event is followed by others, so the inbox is read again a moment after the first one.
        """
        with suppress(queue.Empty):
            message = (
                self._inbox.get(timeout=min(wait, _TICK_SECONDS)) if wait > 0 else self._inbox.get_nowait()
            )
            if message is None and wait > 0:
                message = self._inbox.get(timeout=min(wait, _GATHER_SECONDS))
            while True:
                if message is not None and pipeline is not None:
                    pipeline.handle_answer(*message, time.monotonic(), time.time())
                message = self._inbox.get_nowait()

    def _wind_down(self, pipeline: Pipeline, now: float, wall: float) -> Verdict:
        if self._drain is None:
            self._drain = Drain(self._settings.shipper.shutdown_timeout, now)
            pipeline.hurry = True
            self._reporter.report(Event.STOPPING, bytes=pipeline.intake.lag.unsettled)
        if self._once:
            # While there is more to read, batches fill up.
            pipeline.hurry = pipeline.next_wake() > now
        if self._signals > (not self._once) or self._unusable:
            return Verdict.TIME_IS_UP
        alive = bool(works_with(self._settings.log_folder))
        verdict = self._drain.next(now, proxy_alive=alive, idle=pipeline.idle)
        if verdict is Verdict.LOOK_ONCE_MORE:
            pipeline.reader.look_at_all()
        elif verdict is Verdict.SHIP_TORN and (self._once or has_left(self._settings.log_folder)):
            pipeline.intake.ship_torn(now, wall)
        if verdict is not Verdict.GO_ON:
            self._wake()
        return verdict

    def _end(self, pipeline: Pipeline, now: float, wall: float) -> int:
        pipeline.save(now, wall)
        snapshot = pipeline.snapshot(enabled=True, unusable=self._unusable, now=now, wall=wall)
        self._publisher.show(snapshot, now, wall, pipeline.survey)
        if snapshot.lag_bytes or snapshot.closed:
            reason = error_of(snapshot) or "time was up"
            self._reporter.report(Event.STOPPED_EARLY, bytes=snapshot.lag_bytes, reason=reason)
            return EXIT_UNSHIPPED
        if snapshot.state_fails:
            self._reporter.report(Event.STOPPED_UNSAVED)
            return EXIT_MACHINE
        left = sum(snapshot.refused.values())
        told = f"all but {left:,} rejected lines was delivered" if left else "everything was delivered"
        self._reporter.report(Event.STOPPED, what=told)
        return EXIT_UNSHIPPED if left and self._once else EXIT_DELIVERED

    def _publish(self, pipeline: Pipeline, now: float, wall: float) -> None:
        """Renew the snapshot, and tell when the status has changed."""
        if self._publisher.holds_back(now, busy=pipeline.next_wake() <= now):
            return
        began = time.monotonic()
        snapshot = pipeline.snapshot(enabled=True, unusable=self._unusable, now=now, wall=wall)
        self._publisher.show(snapshot, now, wall, pipeline.survey)
        self._publisher.rest(now, time.monotonic() - began)
        self._trimmer.trim(self._metrics.bytes_read, now)
        if not self._unusable:
            self._publisher.tell_of_outage(snapshot, now)

    def _show_empty(self) -> None:
        self._publisher.show(self._empty_snapshot(), time.monotonic(), time.time())

    def _empty_snapshot(self) -> Snapshot:
        return Snapshot(
            enabled=self._settings.loki.enabled,
            unusable=self._unusable,
            ticked_at=time.monotonic(),
            metrics=self._metrics,
        )

    def _submit(self, push: Push) -> None:
        if self._pushers:
            self._pushers.submit(push)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._reread |= number == signal.SIGHUP
        self._signals += number != signal.SIGHUP
        self._wake()

    def _wake(self) -> None:
        self._inbox.put(None)
