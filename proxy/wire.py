"""HTTP/1.1 towards the client: uvicorn's protocol, with what a proxy needs kept as it came.

uvicorn lower-cases header names, takes trailers for headers, has no reason phrase of its own, and waits for
half a header for ever; a ``Call`` replaces its ASGI messages.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from proxy.headers import HeaderList

# As long as slow networks need; a client that is slower holds a connection for nothing.
HEADER_SECONDS = 30.0
# Coding agents send some kilobytes of headers; 64 KiB is what Go's and Node's servers take, and more.
LARGEST_HEADER = 64 << 10
# Files of up to 512 MB are uploaded to providers; a gigabyte is no call.
LARGEST_BODY = 1 << 30
# A proxy for a team; each connection costs two descriptors.
MOST_CONNECTIONS = 4096
# A client that was refused amid its upload gets this long to read the answer; closing at once would reset
# the connection and lose it.
_LINGER_SECONDS = 2.0

_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_LAST_CHUNK = b"0\r\n\r\n"

Handler = Callable[["Call"], Awaitable[None]]


class ClientGoneError(Exception):
    """The client has left."""


class BodyTooLargeError(Exception):
    """The request's body is larger than ``LARGEST_BODY``."""


class Call(RequestResponseCycle):
    """One request and its answer. Times, sizes and order are as on the wire; nothing waits but ``read``."""

    def __init__(self, connection: "Connection", *, keep_alive: bool) -> None:
        self.method: str = connection.parser.get_method().decode("ascii")
        self.target: bytes = connection.url
        self.headers: HeaderList = connection.raw_headers
        self.wants_upgrade: bool = connection.parser.should_upgrade()
        self.cut: str = ""
        """Why the call was cancelled: ``client_gone`` or ``shutdown``; empty while it runs."""
        self.bytes_sent = 0
        self.task: asyncio.Task[None] | None = None
        self._connection = connection
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._received = 0
        self._framed: bool | None = None
        self._has_body = True
        self._old_client = connection.parser.get_http_version() != "1.1"
        super().__init__(
            scope={},  # type: ignore[typeddict-item] # nothing here speaks ASGI
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=connection.expect_100_continue,
            keep_alive=keep_alive,
            on_response=connection.on_response_complete,
        )

    async def run_asgi(self, app: Any) -> None:
        """Have the call handled; uvicorn's name for it."""
        self.task = asyncio.current_task()
        if self.disconnected:
            return
        try:
            await app(self)
        finally:
            self.task = None
            if not self.response_complete:
                self.abort()

    def feed(self, piece: bytes) -> None:
        """Take some of the request's body from the parser."""
        self._received += len(piece)
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        self.message_event.set()

    @property
    def is_whole(self) -> bool:
        """All of the request is here."""
        return not self.more_body

    @property
    def is_too_large(self) -> bool:
        """More than ``LARGEST_BODY`` has come."""
        return self._received > LARGEST_BODY

    def take(self) -> bytes:
        """Return what has arrived of the body and was not returned before."""
        taken = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        self.flow.resume_reading()
        return taken

    async def read(self) -> bytes:
        """Return the next piece of the request's body, nothing at its end.

        Raises ``ClientGoneError`` and ``BodyTooLargeError``.
        """
        if self.waiting_for_100_continue:
            self.waiting_for_100_continue = False
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._pieces and self.more_body:
            self.message_event.clear()
            if self.disconnected:
                raise ClientGoneError
            await self.message_event.wait()
        if self.is_too_large:
            raise BodyTooLargeError
        return self.take() if self._pieces else b""

    def start(self, status: int, reason: bytes, headers: HeaderList) -> None:
        """Send status and headers; adds the framing that this connection needs, and nothing else."""
        if self.waiting_for_100_continue:
            # It may send its body or not; nobody can tell where its next request would begin.
            self.keep_alive = False
            self.waiting_for_100_continue = False
        self.response_started = True
        head = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
        head += [b"%b: %b\r\n" % header for header in headers]
        self._has_body = self.method != "HEAD" and status not in _NO_BODY
        self._framed = False
        measured = any(name.lower() == b"content-length" for name, _ in headers)
        if self._has_body and not measured and not self._old_client:
            self._framed = True
            head.append(b"Transfer-Encoding: chunked\r\n")
        if not self.keep_alive:
            head.append(b"Connection: close\r\n")
        head.append(b"\r\n")
        self.transport.write(b"".join(head))

    def write(self, piece: bytes) -> None:
        """Send some of the body."""
        if not self._has_body or self.disconnected:
            return
        self.bytes_sent += len(piece)
        self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._framed else piece)

    @property
    def is_behind(self) -> bool:
        """The client reads more slowly than is sent; ``drain`` before the next ``write``."""
        return self.flow.write_paused

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        await self.flow.drain()

    def end(self) -> None:
        """End the response well."""
        if self.disconnected:
            return
        if self._framed:
            self.transport.write(_LAST_CHUNK)
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self._connection.close_gently(reading=self.more_body)
        self._connection.on_response_complete()

    def answer(self, status: HTTPStatus, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Send a whole answer of the proxy's own."""
        own = [*headers, (b"Content-Length", b"%d" % len(body))]
        self.start(status, status.phrase.encode(), own)
        self.write(body)
        self.end()

    def abort(self) -> None:
        """Break the connection, so that the client cannot take what it got for the whole."""
        self.response_complete = True
        self.message_event.set()
        if self._old_client:
            # Without a length or chunks the end of the connection is the end of the body; a reset is not.
            self.transport.abort()
        else:
            self._connection.close_gently(reading=self.more_body)

    def cancel(self, why: str) -> None:
        """Stop the call where it stands."""
        if self.task is not None and not self.cut:
            self.cut = why
            self.task.cancel()


class Connection(HttpToolsProtocol):
    """One client connection."""

    cycle: Call

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.raw_headers: HeaderList = []
        self._in_header = False
        self._header_size = 0
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request; refuse where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
        self._watch_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the call that runs: nobody waits for its answer."""
        self._unwatch_header()
        call = self.cycle
        super().connection_lost(exc)
        if call is not None and not call.response_complete:
            call.cancel("client_gone")

    def data_received(self, data: bytes) -> None:
        """Parse what came; watch how long and how large a header is."""
        if self._in_header:
            self._header_size += len(data)
        super().data_received(data)
        if not self._in_header or self.transport.is_closing():
            self._unwatch_header()
        elif self._header_size > LARGEST_HEADER:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large")
        else:
            self._watch_header()

    def on_message_begin(self) -> None:
        """Start with an empty request."""
        self.url = b""
        self.expect_100_continue = False
        self.raw_headers = []
        self.headers = []
        self._in_header = True
        self._header_size = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header as it came. What comes after the body is a trailer (RFC 9110 6.5) and dropped."""
        if not self._in_header:
            return
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.raw_headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start the call, or let it wait behind the one before it."""
        self._in_header = False
        previous = self.cycle
        http11 = self.parser.get_http_version() == "1.1"
        stays = http11 and self.parser.should_keep_alive() and not self.parser.should_upgrade()
        self.cycle = Call(self, keep_alive=stays)
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Hand the body on; what comes after the answer is nobody's."""
        if not self.cycle.response_complete:
            self.cycle.feed(body)

    def on_message_complete(self) -> None:
        """Tell that the request is whole."""
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are for developers
        """Answer what is no HTTP."""
        self._refuse(HTTPStatus.BAD_REQUEST, "not a valid HTTP request")

    def close_gently(self, *, reading: bool) -> None:
        """Close once all is sent; where the client still sends, let it read first."""
        if reading and not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Stay silent: the call itself is answered with 426, or served as if it had not asked."""

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer a request that no call came of; amid another's answer, only end the connection."""
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()
            return
        body = f"llm-proxy: {reason}\n".encode()
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (status, status.phrase.encode(), len(body), body)
        )
        self.transport.close()

    def _watch_header(self) -> None:
        if self._header_timer is None and not self.transport.is_closing():
            self._header_timer = self.loop.call_later(
                HEADER_SECONDS, self._refuse, HTTPStatus.REQUEST_TIMEOUT, "headers took too long"
            )

    def _unwatch_header(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
