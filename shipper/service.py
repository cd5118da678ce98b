"""The life of the process: start, run, drain, stop."""

import queue
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from types import FrameType
from typing import Any

from groundwork.address import without_credentials
from groundwork.eventlog import EventLog
from groundwork.lock import FolderHeldError, FolderLock
from groundwork.settings import Loaded
from shipper.access import UnusableError, doubts_about
from shipper.allocator import Trimmer
from shipper.config import ShipperSettings
from shipper.drain import Drain, Round, Verdict
from shipper.emf import MetricLine
from shipper.health import Snapshot, Status, status_of
from shipper.loki.push import Answer, Push, Told
from shipper.loki.pushers import Pushers
from shipper.metrics import Metrics
from shipper.neighbour import Absence, is_there, works_with
from shipper.outage import Outage, Turn
from shipper.outlet import pushers_of
from shipper.pipeline import Pipeline
from shipper.port import HealthPort
from shipper.reporter import Event, Reporter
from shipper.source.watch import Watch
from shipper.view.about import about_of
from shipper.view.files import Survey
from shipper.view.state import About

EXIT_DELIVERED, EXIT_MACHINE, EXIT_UNSHIPPED = 0, 1, 3
# Nothing to do still means a look at the clock this often, for liveness and for signals.
_TICK_SECONDS = 1.0
# Under load, a snapshot this often is fresh enough for every reader.
_SNAPSHOT_SECONDS = 0.1
# With 10,000 files one takes milliseconds: no more than a fiftieth of the time goes into them.
_SNAPSHOT_REST = 50

_Message = tuple[int, Answer | Told] | None
Tell = Callable[[Snapshot], None]


class StartError(Exception):
    """The machine does not let the process start; the text is one clear line. Exit code 1."""


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
        self._people_read = log.human
        self._metric_line = MetricLine(settings.loki.environment)
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()
        self._signals = 0
        self._outage = Outage()
        self._trimmer = Trimmer()
        self._unusable = ""
        self._pushers: Pushers | None = None
        self._watch = Watch(settings.log_folder, settings.state_folder, self._wake)
        self._once, self._since_ns = once, since_ns
        self._drain: Drain | Round | None = Round() if once else None
        self._port = self._bind(about_of(loaded, version("llm-proxy"), time.time()))
        self._next_snapshot = 0.0

    def run(self) -> int:
        """Serve until a signal comes, then deliver what is left. Raises ``StartError``."""
        handlers = {each: signal.signal(each, self._on_signal) for each in (signal.SIGTERM, signal.SIGINT)}
        self._start_export()
        if self._unusable or not self._settings.loki.enabled:
            self._show(self._empty_snapshot())
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

    def _bind(self, about: About) -> HealthPort:
        run = self._settings.shipper
        try:
            return HealthPort(
                run.health_host,
                run.health_port,
                self._empty_snapshot(),
                about,
                self._wake,
                has_page=run.page,
            )
        except OSError as exc:
            where = f"{run.health_host}:{run.health_port}"
            reason = exc.strerror or exc
            raise StartError(f"shipper.health_port: cannot listen on {where}: {reason}") from exc

    def _start_export(self) -> None:
        loki = self._settings.loki
        if not loki.enabled:
            self._reporter.report(Event.EXPORT_DISABLED)
            return
        try:
            self._pushers = pushers_of(loki, lambda *done: self._inbox.put(done))
        except UnusableError as exc:
            self._unusable = str(exc)
            self._reporter.report(Event.EXPORT_UNUSABLE, reason=self._unusable)
            return
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
            self._show(self._empty_snapshot())
            self._receive(_TICK_SECONDS)
            if self._signals and not is_there(folder):
                return False
        self._reporter.report(Event.FOLDER_FOUND, folder=str(folder))
        return True

    def _own_state(self) -> FolderLock:
        """Keep a second shipper out; where no lock can be written, go on without one."""
        lock = FolderLock(self._settings.own_lock)
        try:
            lock.acquire()
        except FolderHeldError as exc:
            raise StartError(f"another llm-loki-ship works with {self._settings.state_folder}") from exc
        except OSError as exc:
            self._reporter.report(Event.CHECKPOINT_FAILED, reason=f"lock: {exc.strerror or exc}")
        return lock

    def _follow(self) -> int:
        lock, folder = self._own_state(), self._settings.log_folder
        pipeline = Pipeline(
            self._settings, self._reporter, self._metrics, submit=self._submit, jitter=random.random
        )
        pipeline.intake.reader.since_ns = self._since_ns
        self._start_watch()
        try:
            return self._loop(pipeline, Absence(folder, time.monotonic()))
        finally:
            self._watch.stop()
            pipeline.close()
            lock.release()
            if self._pushers:
                self._pushers.stop()

    def _stand_by(self) -> int:
        """Stay up with nothing to do: a container that exits may take its task down."""
        while not self._signals:
            self._show(self._empty_snapshot())
            self._receive(_TICK_SECONDS)
        return EXIT_DELIVERED

    def _loop(self, pipeline: Pipeline, absence: Absence) -> int:
        while True:
            self._receive(max(0.0, pipeline.next_wake() - time.monotonic()), pipeline)
            now, wall = time.monotonic(), time.time()
            named = self._watch.take()
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
        """Take all that has come in, after waiting for the first of it."""
        with suppress(queue.Empty):
            message = (
                self._inbox.get(timeout=min(wait, _TICK_SECONDS)) if wait > 0 else self._inbox.get_nowait()
            )
            while True:
                if message is not None and pipeline is not None:
                    pipeline.settle(*message, time.monotonic(), time.time())
                message = self._inbox.get_nowait()

    def _wind_down(self, pipeline: Pipeline, now: float, wall: float) -> Verdict:
        if self._drain is None:
            self._drain = Drain(self._settings.shipper.shutdown_timeout, now)
            pipeline.hurry = True
            self._reporter.report(Event.STOPPING, bytes=pipeline.lag_bytes)
        if self._once:
            # While there is more to read, batches fill up.
            pipeline.hurry = pipeline.next_wake() > now
        if self._signals > (not self._once) or self._unusable:
            return Verdict.TIME_IS_UP
        alive = bool(works_with(self._settings.log_folder))
        verdict = self._drain.next(now, proxy_alive=alive, idle=pipeline.idle)
        if verdict is Verdict.LOOK_ONCE_MORE:
            pipeline.intake.reader.look_at_all()
        elif verdict is Verdict.SHIP_TORN:
            pipeline.ship_torn(wall)
        if verdict is not Verdict.GO_ON:
            self._wake()
        return verdict

    def _end(self, pipeline: Pipeline, now: float, wall: float) -> int:
        pipeline.save(now, wall)
        self._show(pipeline.snapshot(enabled=True, unusable=self._unusable, now=now, wall=wall), pipeline)
        left = pipeline.lag_bytes
        if left:
            reason = self._unusable or self._metrics.last_error or "time was up"
            self._reporter.report(Event.STOPPED_EARLY, bytes=left, reason=reason)
            return EXIT_UNSHIPPED
        self._reporter.report(Event.STOPPED)
        return EXIT_DELIVERED

    def _publish(self, pipeline: Pipeline, now: float, wall: float) -> None:
        """Renew the snapshot, and tell when the status has changed."""
        if now < self._next_snapshot and pipeline.next_wake() <= now and not self._port.is_asked:
            return
        snapshot = pipeline.snapshot(enabled=True, unusable=self._unusable, now=now, wall=wall)
        took = time.monotonic() - now
        self._next_snapshot = now + max(_SNAPSHOT_SECONDS, took * _SNAPSHOT_REST)
        self._show(snapshot, pipeline)
        self._trimmer.trim(self._metrics.bytes_read, now)
        if not self._unusable:
            self._tell_of_outage(snapshot, now)

    def _tell_of_outage(self, snapshot: Snapshot, now: float) -> None:
        failing = status_of(snapshot, now) is Status.ERROR
        turn = self._outage.see(now, failing=failing, since=snapshot.waiting_since)
        told: dict[str, Any] = {
            "failing_seconds": round(self._outage.lasted(now), 1),
            "lag_bytes": snapshot.lag_bytes,
        }
        if turn in {Turn.BEGAN, Turn.LASTS}:
            event = Event.DELIVERY_FAILING if turn is Turn.BEGAN else Event.STILL_FAILING
            metrics = self._metrics
            reason = metrics.last_error or "no answer yet"
            self._reporter.report(event, reason=reason, advice=metrics.advice, **told)
        elif turn is Turn.ENDED:
            self._reporter.report(Event.DELIVERY_RECOVERED, **told)
            self._outage.end()

    def _show(self, snapshot: Snapshot, pipeline: Pipeline | None = None) -> None:
        """Let the health port answer with it and, once a minute, the log."""
        self._port.publish(snapshot)
        if self._once and pipeline:
            self._once(snapshot)
        if self._port.is_asked:
            self._port.hand(pipeline.survey() if pipeline else Survey())
        now = time.monotonic()
        if self._metric_line.is_due(now):
            fields = self._metric_line.fields(snapshot, now, time.time())
            self._reporter.report(Event.MEASURED, quiet=self._people_read, **fields)

    def _empty_snapshot(self) -> Snapshot:
        return Snapshot(
            enabled=self._settings.loki.enabled,
            unusable=self._unusable,
            ticked_at=time.monotonic(),
            metrics=self._metrics,
        )

    def _start_watch(self) -> None:
        try:
            self._watch.start()
        except OSError as exc:
            self._reporter.report(Event.POLLING, reason=exc.strerror or str(exc))

    def _submit(self, push: Push, metadata: bool) -> None:  # noqa: FBT001 - the pipeline's seam
        if self._pushers:
            self._pushers.submit(push, metadata=metadata)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        self._wake()

    def _wake(self) -> None:
        self._inbox.put(None)
