"""The life of the proxy's process: start, serve, drain, stop."""

import asyncio
import contextlib
import importlib.metadata
import logging
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import uvloop

from groundwork.commands.program import forbid_dumps
from groundwork.disk.files import exposure_of
from groundwork.disk.lock import FolderHeldError, FolderLock
from groundwork.eventlog import EventLog
from groundwork.gc import freeze_startup_objects
from groundwork.settings.settings import Loaded
from groundwork.text import without_credentials
from proxy.config import ProxySettings
from proxy.record.journal import Journal
from proxy.recording.queue.recorder import Limits, Recorder
from proxy.server import descriptors
from proxy.server.configuration import Configuration, configured
from proxy.server.relay import Page, Relay, Traffic
from proxy.telemetry.health import Snapshot, report_of
from proxy.telemetry.prometheus import CONTENT_TYPE, exposition
from proxy.wire.access.callers import Callers
from proxy.wire.clients import Clients
from proxy.wire.routing import may_be_here
from proxy.wire.upstream.dial import Dialer
from proxy.wire.upstream.pool import UpstreamPool
from proxy.wire.upstream.resolver import GuardedResolver

# How often calls are looked at that have stood still for too long.
_LOOK_SECONDS = 1.0
_BACKLOG = 2048
# The event loop gets the interpreter back from the recorder after this; by default a piece of a stream, which
# takes microseconds, waits for it up to 5 ms.
_SWITCH_SECONDS = 0.0005
# What a call that was cut gets to log its end.
_CUT_SECONDS = 5.0
# What a client gets to read the end of its answer, at the end of the process.
_FLUSH_SECONDS = 2.0
_TICK = 0.01

VERSION = importlib.metadata.version("llm-proxy")


class MachineError(Exception):
    """Something on this machine is in the way; the text is one line for the user. Exit code 1."""


class _Server:
    """Accepts connections until the first signal, drains until the second."""

    def __init__(self, clients: Clients, traffic: Traffic, grace: float, events: EventLog) -> None:
        self._clients = clients
        self._traffic = traffic
        self._grace = grace
        self._events = events
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def serve(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        """Serve until SIGTERM or SIGINT, and drain."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self._on_signal)
        server = await loop.create_server(self._clients.connection, sock=listener, backlog=_BACKLOG, ssl=tls)
        overdue = asyncio.create_task(self._end_overdue())
        await self._stop.wait()
        server.close()
        overdue.cancel()
        await self._shut_down()

    def _on_signal(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    async def _end_overdue(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self._traffic.end_overdue(time.monotonic_ns())

    async def _shut_down(self) -> None:
        """Let running calls end within the grace time, cut the rest."""
        self._clients.stop()
        running = set(self._clients.tasks)
        self._events.write(
            logging.INFO, "proxy.draining", f"Stopping; {len(running)} calls run", running=len(running)
        )
        if running:
            await self._drain(running)
        await self._let_clients_read()

    async def _let_clients_read(self) -> None:
        """Wait until what was written has left, but not for clients that do not read."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                while self._clients.connections:  # noqa: ASYNC110 - each ends for a reason of its own
                    await asyncio.sleep(_TICK)
        for connection in list(self._clients.connections):
            connection.transport.abort()

    async def _drain(self, running: set["asyncio.Task[None]"]) -> None:
        hurry = asyncio.create_task(self._hurry.wait())
        ended = asyncio.create_task(asyncio.wait(running))
        await asyncio.wait({hurry, ended}, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
        cut = list(self._traffic.running)
        for call in cut:
            call.cancel("shutdown")
        if cut:
            self._events.write(
                logging.WARNING, "proxy.calls_cut", f"{len(cut)} calls were cut", calls=len(cut)
            )
        await asyncio.wait({ended}, timeout=_CUT_SECONDS)
        hurry.cancel()
        ended.cancel()


def serve(loaded: Loaded[ProxySettings], events: EventLog) -> None:
    """Serve until SIGTERM or SIGINT. Raises ``ConfigurationError`` and ``MachineError``."""
    settings = loaded.settings
    configuration = configured(loaded)
    for warning in loaded.warnings:
        events.write(logging.WARNING, "proxy.setting_ignored", warning)
    log_dir = settings.log_folder.absolute()
    forbid_dumps()
    sys.setswitchinterval(_SWITCH_SECONDS)
    with _hold(log_dir), _bind(settings.host, settings.port) as listener:
        url = without_credentials(settings.loki.url)
        state = f"enabled ({url})" if settings.loki.enabled else "disabled"
        events.write(logging.INFO, "proxy.loki_export", f"Loki export: {state}")
        exposure = exposure_of(log_dir, own=True)
        if exposure:
            events.write(logging.WARNING, "proxy.folder_exposed", f"log_dir = {str(log_dir)!r}: {exposure}")
        journal = Journal(log_dir)
        recorder = Recorder(
            journal, configuration.policy, log_dir, Limits(min_free=settings.min_free), events
        )
        recorder.start()
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(settings, configuration, recorder, listener, events))
        finally:
            recorder.close()
            journal.close()
    events.write(
        logging.INFO,
        "proxy.stopped",
        "Stopped",
        records=recorder.counters.records_written,
        missing=recorder.records_missing,
    )


async def _serve(
    settings: ProxySettings,
    configuration: Configuration,
    recorder: Recorder,
    listener: socket.socket,
    events: EventLog,
) -> None:
    upstreams, tls = configuration.upstreams, configuration.tls
    resolver = GuardedResolver(lambda host: may_be_here(host, upstreams))
    transport = UpstreamPool(Dialer(resolver, configuration.proxies))
    started = time.monotonic()

    def now() -> Snapshot:
        return _snapshot(relay.traffic, recorder, time.monotonic() - started)

    relay = Relay(
        transport,
        recorder,
        configuration.admission,
        upstreams,
        record=settings.record,
        pages={
            # Load balancers ask by address, whatever Host values are served.
            b"/health": Page(lambda: orjson.dumps(report_of(now())), b"application/json", guarded=False),
            b"/metrics": Page(lambda: exposition(now()), CONTENT_TYPE, guarded=True),
        },
        events=events,
        traffic=Traffic(settings.upload_timeout, settings.answer_timeout),
        callers=Callers(settings.caller_calls),
        signer=configuration.signer,
    )
    clients = Clients(relay, descriptors.most_connections(), settings.caller_connections)
    server = _Server(clients, relay.traffic, settings.grace, events)
    host, port = listener.getsockname()[:2]
    scheme = "https" if tls else "http"
    url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
    asyncio.get_running_loop().call_soon(
        lambda: events.write(logging.INFO, "proxy.listening", f"Listening on {url}", port=port, host=host)
    )
    freeze_startup_objects()
    try:
        await server.serve(listener, tls)
    finally:
        transport.close()


def _snapshot(traffic: Traffic, recorder: Recorder, uptime: float) -> Snapshot:
    counters = recorder.counters
    return Snapshot(
        VERSION,
        uptime,
        traffic.metrics,
        running=len(traffic.running),
        streams=sum(call.response_started for call in traffic.running),
        failing=counters.failing,
        last_error=counters.last_error,
        sessions=counters.sessions,
        records_written=counters.records_written,
        records_missing=recorder.records_missing,
        dialects=tuple(counters.dialects.items()),
        omitted=tuple(counters.omitted.items()),
        write_errors=counters.write_errors,
        queue_bytes=recorder.waiting,
        queue_items=recorder.queued,
        free_bytes=counters.free_bytes,
    )


@contextlib.contextmanager
def _hold(log_dir: Path) -> Iterator[None]:
    """Hold the log folder against a second proxy."""
    lock = FolderLock(log_dir / ".llm-proxy" / "lock", log_dir)
    try:
        lock.acquire()
    except FolderHeldError as exc:
        raise MachineError(f"log_dir = {str(log_dir)!r}: another llm-proxy writes there") from exc
    except OSError as exc:
        raise MachineError(f"log_dir = {str(log_dir)!r} cannot be written: {_reason(exc)}") from exc
    try:
        yield
    finally:
        lock.release()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as exc:
        raise MachineError(f"cannot listen on {host} port {port}: {_reason(exc)}") from exc


def _reason(exc: OSError) -> str:
    """Say what the system said; resolvers have numbers of their own, below zero."""
    return os.strerror(exc.errno) if exc.errno and exc.errno > 0 else str(exc.strerror)
