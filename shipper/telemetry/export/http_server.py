"""The health port: a small ASGI application in a thread, which reads snapshots and nothing else."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from shipper.telemetry.export.host_check import may_read
from shipper.telemetry.export.prometheus import exposition
from shipper.telemetry.export.web_server import HEADERS, NOTHING_LOADED, WebServer
from shipper.telemetry.health import Snapshot, Status, error_of, is_alive, report_of, status_of
from shipper.telemetry.page.files import Survey
from shipper.telemetry.page.state import About, state_of
from shipper.telemetry.proxy_presence import hint_about

# A folder of 10,000 files is looked through in less.
_FIRST_LOOK_SECONDS = 5.0
# The loop answers between two steps; one that stands still must not hold a person up.
_SURVEY_SECONDS = 2.0
# However many look on, the loop goes through its files for them this often at most.
_FRESH_SECONDS = 1.0
_OK, _FORBIDDEN, _NOT_FOUND, _NOT_ALLOWED, _UNAVAILABLE = 200, 403, 404, 405, 503
_WRONG_HOST = b"this Host is not served: see shipper.allowed_hosts\n"

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; ``policy`` is its content security policy, by default that nothing is loaded."""

    status: int
    kind: str
    body: bytes
    policy: str = NOTHING_LOADED


class HealthPort:
    """Serves ``/health/loki``, ``/livez``, ``/readyz`` and ``/metrics`` from the snapshot published last.

    For ``/status``, and with ``has_page`` for ``/``, the files are looked through, which the loop does when
    it is asked: ``wake`` wakes it, it sees ``is_asked``, and answers by ``hand``.
    """

    def __init__(
        self,
        host: str,
        port: int,
        snapshot: Snapshot,
        about: About,
        wake: Callable[[], None],
        *,
        allowed_hosts: Sequence[str] = (),
        has_page: bool,
    ) -> None:
        """Bind at once. Raises ``OSError`` where the address is taken or not ours.

        ``allowed_hosts`` are names that it is called by, besides ``host`` and addresses.
        """
        self._names = (host, *allowed_hosts)
        self._has_page = has_page
        self._snapshot = snapshot
        self._looked = threading.Event()
        self._about = about
        self._wake = wake
        self._survey = Survey()
        self._surveyed_at = -_FRESH_SECONDS
        self._surveyed = threading.Condition()
        self.is_asked = False
        self._server = WebServer(host, port, self._serve)

    def publish(self, snapshot: Snapshot) -> None:
        """Answer with this from now on."""
        self._snapshot = snapshot
        self._looked.set()

    def hand(self, survey: Survey) -> None:
        """Answer whoever has asked for the files."""
        with self._surveyed:
            self._survey, self._surveyed_at, self.is_asked = survey, time.monotonic(), False
            self._surveyed.notify_all()

    @property
    def url(self) -> str:
        """Where it listens, with the real port."""
        host, port = self._server.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def port(self) -> int:
        """The real port."""
        return self._server.address[1]

    def start(self) -> None:
        """Serve from a thread of its own."""
        self._server.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop()

    async def _serve(self, scope: Mapping[str, Any], _receive: object, send: Send) -> None:
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        host = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
        path = scope["path"]
        if scope["method"] not in {"GET", "HEAD"}:
            reply = Reply(_NOT_ALLOWED, "text/plain", b"only GET is served\n")
        elif path == "/livez":
            # Whatever waits for the loop must not hold it up.
            reply = self.answer(path, host)
        else:
            reply = await asyncio.to_thread(self.answer, path, host)
        headers = {
            **HEADERS,
            b"content-type": reply.kind.encode(),
            b"content-length": b"%d" % len(reply.body),
            b"content-security-policy": reply.policy.encode(),
        }
        await send({"type": "http.response.start", "status": reply.status, "headers": list(headers.items())})
        await send({"type": "http.response.body", "body": reply.body})

    def answer(self, path: str, host: str) -> Reply:
        """Return what a path answers with; ``host`` is the ``Host`` header, empty where there is not one."""
        if path == "/livez":
            return _plain(well=is_alive(self._snapshot, time.monotonic()), bad="the loop stands still")
        if not may_read(host, self._names):
            return Reply(_FORBIDDEN, "text/plain", _WRONG_HOST)
        # Before the first look at the folder, nothing true can be told of what waits.
        self._looked.wait(_FIRST_LOOK_SECONDS)
        match path:
            case "/status":
                return _json(self._state())
            case "/" if self._has_page:
                return self._page()
        return self._answer_machines(path)

    def _answer_machines(self, path: str) -> Reply:
        snapshot, now, wall = self._snapshot, time.monotonic(), time.time()
        match path:
            case "/health/loki":
                return _json(report_of(snapshot, now, wall))
            case "/metrics":
                body = exposition(snapshot, now, wall)
                return Reply(_OK, "text/plain; version=1.0.0; charset=utf-8", body)
            case "/readyz":
                failing = status_of(snapshot, now) is Status.ERROR
                return _plain(well=not failing, bad=error_of(snapshot) or "")
        return Reply(_NOT_FOUND, "text/plain", b"not found\n")

    def _state(self) -> dict[str, Any]:
        survey = self._ask()
        hint = hint_about(Path(self._about.log_dir))
        return state_of(self._snapshot, survey, self._about, time.monotonic(), time.time(), hint=hint)

    def _page(self) -> Reply:
        from shipper.telemetry.page.assets import page  # noqa: PLC0415 - most shippers are never looked at

        return Reply(_OK, "text/html; charset=utf-8", page().render(self._state()), page().policy)

    def _ask(self) -> Survey:
        """Return the files as they are now, or as they were a moment ago."""
        with self._surveyed:
            if time.monotonic() - self._surveyed_at >= _FRESH_SECONDS:
                self.is_asked = True
                self._wake()
                self._surveyed.wait_for(lambda: not self.is_asked, _SURVEY_SECONDS)
            return self._survey


def _plain(*, well: bool, bad: str) -> Reply:
    return Reply(_OK if well else _UNAVAILABLE, "text/plain", ("ok" if well else bad).encode() + b"\n")


def _json(report: dict[str, Any]) -> Reply:
    return Reply(_OK, "application/json", orjson.dumps(report))
