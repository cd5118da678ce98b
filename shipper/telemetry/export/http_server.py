"""The health port: a small HTTP server in a thread, which reads snapshots and nothing else."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import AF_INET6, socket
from typing import Any

import orjson

from shipper.telemetry.export.host_check import may_read
from shipper.telemetry.export.prometheus import exposition
from shipper.telemetry.health import Snapshot, Status, error_of, is_alive, report_of, status_of
from shipper.telemetry.page.files import Survey
from shipper.telemetry.page.state import About, state_of
from shipper.telemetry.proxy_presence import hint_about

# A client that sends no request gives its thread back after this.
_CLIENT_SECONDS = 10.0
# A folder of 10,000 files is looked through in less.
_FIRST_LOOK_SECONDS = 5.0
# The loop answers between two steps; one that stands still must not hold a person up.
_SURVEY_SECONDS = 2.0
# However many look on, the loop goes through its files for them this often at most.
_FRESH_SECONDS = 1.0
# Without a descriptor for a connection, the next try comes after this.
_REST_SECONDS = 0.1
_OK, _FORBIDDEN, _NOT_FOUND, _UNAVAILABLE = 200, 403, 404, 503
_WRONG_HOST = b"this Host is not served: call by address, or by health_host\n"
# What this port says changes by the second, and is for nobody's frames, scripts or caches.
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered; ``policy`` is its content security policy, by default that nothing is loaded."""

    status: int
    kind: str
    body: bytes
    policy: str = "default-src 'none'; frame-ancestors 'none'"


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
        has_page: bool,
    ) -> None:
        """Bind at once. Raises ``OSError`` where the address is taken or not ours."""
        self._host = host
        self._has_page = has_page
        self._snapshot = snapshot
        self._looked = threading.Event()
        self._about = about
        self._wake = wake
        self._survey = Survey()
        self._surveyed_at = -_FRESH_SECONDS
        self._surveyed = threading.Condition()
        self.is_asked = False
        server = _Server6 if ":" in host else _Server
        self._server = server((host, port), _handler_for(self))

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
        host, port = self._server.server_address[:2]
        name = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{name}:{port}"

    @property
    def port(self) -> int:
        """The real port."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Serve from a thread of its own."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, host: str) -> Reply:
        """Return what a path answers with; ``host`` is the ``Host`` header."""
        if path != "/livez":
            # Before the first look at the folder, nothing true can be told of what waits.
            self._looked.wait(_FIRST_LOOK_SECONDS)
        snapshot, now, wall = self._snapshot, time.monotonic(), time.time()
        match path:
            case "/health/loki":
                return _json(report_of(snapshot, now, wall))
            case "/metrics":
                body = exposition(snapshot, now, wall)
                return Reply(_OK, "text/plain; version=1.0.0; charset=utf-8", body)
            case "/livez":
                return _plain(well=is_alive(snapshot, now), bad="the loop stands still")
            case "/readyz":
                failing = status_of(snapshot, now) is Status.ERROR
                return _plain(well=not failing, bad=error_of(snapshot) or "")
        return self._answer_people(path, host)

    def _answer_people(self, path: str, host: str) -> Reply:
        if path != "/status" and not (path == "/" and self._has_page):
            return Reply(_NOT_FOUND, "text/plain", b"not found\n")
        if not may_read(host, self._host):
            return Reply(_FORBIDDEN, "text/plain", _WRONG_HOST)
        return self._page() if path == "/" else _json(self._state())

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def get_request(self) -> tuple[socket, Any]:
        """Accept a connection; without a descriptor for it, rest, as the server tries again at once."""
        try:
            return super().get_request()
        except OSError:
            time.sleep(_REST_SECONDS)
            raise


class _Server6(_Server):
    address_family = AF_INET6


def _plain(*, well: bool, bad: str) -> Reply:
    return Reply(_OK if well else _UNAVAILABLE, "text/plain", ("ok" if well else bad).encode() + b"\n")


def _json(report: dict[str, Any]) -> Reply:
    return Reply(_OK, "application/json", orjson.dumps(report))


def _handler_for(port: HealthPort) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_SECONDS

        def do_GET(self) -> None:
            reply = port.answer(self.path.partition("?")[0], self.headers.get("Host", ""))
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("Content-Security-Policy", reply.policy)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: object) -> None:
            """Keep requests out of the log: probes come every few seconds."""

    return Handler
