"""An ASGI application on uvicorn, in a thread of its own, which strangers cannot fill up."""

import asyncio
import socket
import threading
from collections.abc import Mapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

# One request a connection; who has sent none by then, or has not read the answer, is let go.
_CLIENT_SECONDS = 10.0
# Probes, Prometheus and a few people; the oldest connection goes for one more. Far fewer than there are
# descriptors, which files and Loki need.
_MOST_CONNECTIONS = 64
# What answers still get at the end.
_STOP_SECONDS = 1
_BACKLOG = 128

# What this port says changes by the second, and is for nobody's frames, scripts or caches.
HEADERS: Mapping[bytes, bytes] = {
    b"cache-control": b"no-store",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"connection": b"close",
}
NOTHING_LOADED = "default-src 'none'; frame-ancestors 'none'"


class WebServer:
    """Serves an application until it is stopped. Nothing that a client does is logged."""

    def __init__(self, host: str, port: int, app: Any) -> None:
        """Bind at once. Raises ``OSError`` where the address is taken or not ours."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        bound, number = self._listener.getsockname()[:2]
        self.address: tuple[str, int] = (str(bound), int(number))
        """Where it listens: host and real port."""
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                interface="asgi3",
                proxy_headers=False,
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Serve from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        # Without a descriptor for a connection, the loop tries again in a second, and would log each time.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await self._server.serve(sockets=[self._listener])


class _Connection(H11Protocol):
    """One client. uvicorn itself waits for half a head for ever, and takes any number of connections."""

    open: "dict[_Connection, None]" = {}  # noqa: RUF012 - of one server, the only one of its process

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._end = self.loop.call_later(_CLIENT_SECONDS, transport.abort)
        self.open[self] = None
        if len(self.open) > _MOST_CONNECTIONS:
            oldest = next(iter(self.open))
            oldest.transport.abort()
            del self.open[oldest]

    def connection_lost(self, exc: Exception | None) -> None:
        self._end.cancel()
        self.open.pop(self, None)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, as safely for a browser as all else."""
        fields = {
            **HEADERS,
            b"content-type": b"text/plain",
            b"content-security-policy": NOTHING_LOADED.encode(),
        }
        lines = b"".join(b"%b: %b\r\n" % each for each in fields.items())
        text = msg.encode()
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\n%bcontent-length: %d\r\n\r\n%b" % (lines, len(text), text)
        )
        self.transport.close()
