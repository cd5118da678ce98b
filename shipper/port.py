"""The health port: a small HTTP server in a thread, which reads snapshots and nothing else."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

import orjson

from shipper.exposition import exposition
from shipper.health import Snapshot, Status, is_alive, report_of, status_of

# A client that sends no request gives its thread back after this.
_CLIENT_SECONDS = 10.0
# A folder of 10,000 files is looked through in less.
_FIRST_LOOK_SECONDS = 5.0
_OK, _NOT_FOUND, _UNAVAILABLE = 200, 404, 503


class HealthPort:
    """Serves ``/health/loki``, ``/livez``, ``/readyz`` and ``/metrics`` from the snapshot published last."""

    def __init__(self, host: str, port: int, snapshot: Snapshot) -> None:
        """Bind at once. Raises ``OSError`` where the address is taken or not ours."""
        self._snapshot = snapshot
        self._looked = threading.Event()
        server = _Server6 if ":" in host else _Server
        self._server = server((host, port), _handler_for(self))

    def publish(self, snapshot: Snapshot) -> None:
        """Answer with this from now on."""
        self._snapshot = snapshot
        self._looked.set()

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

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, content type and body for a path."""
        if path != "/livez":
            # Before the first look at the folder, nothing true can be told of what waits.
            self._looked.wait(_FIRST_LOOK_SECONDS)
        snapshot, now, wall = self._snapshot, time.monotonic(), time.time()
        if path == "/health/loki":
            return _OK, "application/json", orjson.dumps(report_of(snapshot, now, wall))
        if path == "/metrics":
            return _OK, "text/plain; version=1.0.0; charset=utf-8", exposition(snapshot, now, wall)
        if path == "/livez":
            return _plain(well=is_alive(snapshot, now), bad="the loop stands still")
        if path == "/readyz":
            failing = status_of(snapshot, now) is Status.ERROR
            return _plain(well=not failing, bad=snapshot.unusable or snapshot.metrics.last_error or "")
        return _NOT_FOUND, "text/plain", b"not found\n"


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = AF_INET6


def _plain(*, well: bool, bad: str) -> tuple[int, str, bytes]:
    return (_OK if well else _UNAVAILABLE), "text/plain", ("ok" if well else bad).encode() + b"\n"


def _handler_for(port: HealthPort) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_SECONDS

        def do_GET(self) -> None:
            status, kind, body = port.answer(self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep requests out of the log: probes come every few seconds."""

    return Handler
