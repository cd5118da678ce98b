"""HTTP/1.1 towards the client: uvicorn's protocol, with what a proxy needs kept as it came.

uvicorn lower-cases header names, takes trailers for headers, and waits for half a header for ever.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from proxy.wire.call import Call, Head
from proxy.wire.headers import HeaderList

# As long as slow networks need; a client that is slower holds a connection for nothing.
HEADER_SECONDS = 30.0
# Coding agents send some kilobytes of headers; 64 KiB is what Go's and Node's servers take, and more.
LARGEST_HEADER = 64 << 10
# What may be read of a header that has no end yet; as much as one read brings, and more.
_LARGEST_PENDING = 512 << 10
# A proxy for a team; each connection costs two descriptors.
MOST_CONNECTIONS = 4096
# A client that was refused amid its upload gets this long to read the answer; closing at once would reset
# the connection and lose it.
_LINGER_SECONDS = 2.0


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
        self._raw_headers: HeaderList = []
        self._active: Call | None = None
        self._closing = False
        self._in_header = False
        self._is_repeated_head = False
        self._header_size = self._header_pending = 0
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock for the first request; refuse where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
        self._watch_header()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the call that runs, which is not the latest where requests were sent ahead."""
        self._unwatch_header()
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        active, self._active = self._active, None
        # With its calls gone nothing refers back to it, and nothing is left for the garbage collector.
        self.cycle = cast("Call", None)
        self.pipeline.clear()
        if active is not None and not active.response_complete:
            active.disconnected = True
            active.message_event.set()
            active.cancel("client_gone")

    def data_received(self, data: bytes) -> None:
        """Parse what came; watch how long and how large a header is."""
        if self._closing:
            return
        self._unset_keepalive_if_required()
        self._parse(data)
        if not self._in_header or self.transport.is_closing():
            self._unwatch_header()
        else:
            self._header_pending += len(data)
            if self._header_pending > _LARGEST_PENDING:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large")
            self._watch_header()

    def _parse(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as exc:
            self._go_on(data[exc.args[0] :])
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST, "not a valid HTTP request")

    def _go_on(self, rest: bytes) -> None:
        """Read on as if no upgrade had been offered (RFC 9110 7.8 allows that).

        Java's client offers h2c with every request. The parser stops there and leaves the body unread, so
        a new one gets a head with the same framing, and its callbacks are ignored until the body begins.
        """
        framing = [
            b"%b: %b\r\n" % header
            for header in self._raw_headers
            if header[0].lower() in {b"content-length", b"transfer-encoding"}
        ]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._is_repeated_head = True
        self._parse(b"".join([b"POST / HTTP/1.1\r\n", *framing, b"\r\n", rest]))

    def on_message_begin(self) -> None:
        """Start with an empty request."""
        if self._is_repeated_head:
            return
        self.url = b""
        self.expect_100_continue = False
        self._raw_headers = []
        self.headers = []
        self._in_header = True
        self._header_size = self._header_pending = 0

    def on_url(self, url: bytes) -> None:
        """Take some of the request target."""
        if not self._is_repeated_head:
            self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header as it came. What comes after the body is a trailer (RFC 9110 6.5) and dropped."""
        if not self._in_header:
            return
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self._header_size += len(name) + len(value)
        self._raw_headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Start the call, or let it wait behind the one before it."""
        if self._is_repeated_head:
            self._is_repeated_head = False
            return
        self._in_header = False
        if self._header_size + len(self.url) > LARGEST_HEADER:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers too large")
            return
        previous = self.cycle
        self.cycle = Call(self._head(), self, self._close)
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _head(self) -> Head:
        http11 = self.parser.get_http_version() == "1.1"
        return Head(
            method=self.parser.get_method().decode("ascii"),
            target=self.url,
            headers=self._raw_headers,
            http11=http11,
            keep_alive=http11 and self.parser.should_keep_alive(),
            wants_upgrade=self.parser.should_upgrade(),
            expects_continue=self.expect_100_continue,
        )

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Note which call runs; uvicorn's name for its start."""
        self._active = cast("Call", cycle)
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Hand the body on; what comes after the answer is nobody's."""
        if not self._closing and not self.cycle.response_complete:
            self.cycle.feed(body)

    def on_message_complete(self) -> None:
        """Tell that the request is whole, unless the parser stopped at an offered upgrade."""
        if self._closing or self.parser.should_upgrade():
            return
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def _close(self, reading: bool) -> None:  # noqa: FBT001 - the one thing to say
        self._closing = True
        self.pipeline.clear()
        if reading and not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(_LINGER_SECONDS, self.transport.close)
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer a request that no call came of; amid another's answer, only end the connection."""
        if self._active is not None and self._active.response_started and not self._active.response_complete:
            self.transport.abort()
            return
        self._closing = True
        body = f"llm-proxy: {reason}\n".encode()
        self.transport.write(
            b"HTTP/1.1 %d %b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n%b" % (status, status.phrase.encode(), len(body), body)
        )
        self.transport.close()

    def _watch_header(self) -> None:
        if self._header_timer is None and not self.transport.is_closing():
            self._header_timer = self.loop.call_later(HEADER_SECONDS, self._give_up_waiting)

    def _give_up_waiting(self) -> None:
        if self._in_header:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "headers took too long")
        else:
            self.transport.close()

    def _unwatch_header(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
