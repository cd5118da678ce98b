"""HTTP/1.1 towards the client: one request after the other on each connection.

Bytes that follow a request stay unread until its answer is whole, so that nobody can make the proxy hold
requests by sending them ahead.
"""

import asyncio
import time
from http import HTTPStatus
from typing import Protocol

from proxy.wire.access.refusals import refusal
from proxy.wire.call import HELD_BYTES, Call
from proxy.wire.message import hangup
from proxy.wire.message.framing import Decoder, Endless, decoder_of
from proxy.wire.message.head import MalformedError, RequestHead, end_of_request_head, parse_request
from proxy.wire.message.tcp import OF_CLIENTS, hangup_of, keep_alive

# As long as slow networks need; a client that is slower holds a connection for nothing. A client that has
# made no call yet gets no longer either.
HEADER_SECONDS = 30.0
# Longer than clients and load balancers (4,000 s in deploy/ecs) keep idle connections, so that they close
# them, and no call meets a closing one.
KEEPALIVE_SECONDS = 4_060.0
# A client that was refused amid its upload gets this long to read the answer; closing at once would reset
# the connection and lose it.
LINGER_SECONDS = 2.0


class Registry(Protocol):
    """What a connection belongs to."""

    idle: "dict[Connection, None]"

    @property
    def is_full(self) -> bool:
        """Not even the proxy's own pages can be served on another connection."""
        ...

    def add(self, connection: "Connection") -> None:
        """Take a new connection; sets its ``over_limit`` where there are too many."""
        ...

    def forget(self, connection: "Connection") -> None:
        """Let go of a connection."""
        ...

    def run(self, call: Call) -> None:
        """Have a call handled."""
        ...


class Connection(asyncio.Protocol):
    """One client connection."""

    def __init__(self, registry: Registry) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport = None  # type: ignore[assignment] # set before anything else
        self.write_paused = False
        self.over_limit = self.over_share = False
        self._registry = registry
        self.client = ""
        self._call: Call | None = None
        self._decoder: Decoder | None = None
        self._pending = b""
        self._seen = 0
        self._closing = self._eof = self._read_paused = self._has_called = False
        self._since = self.loop.time()
        self._probes = 0
        self._writable: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or refuse it where there are far too many."""
        self.transport = transport  # type: ignore[assignment] # a stream's
        peer = transport.get_extra_info("peername")
        self.client = str(peer[0]) if peer else ""
        keep_alive(transport.get_extra_info("socket"), OF_CLIENTS)
        self._registry.add(self)
        if self._registry.is_full:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever ended it
        """Cancel the call that runs."""
        self._registry.forget(self)
        self._closing = True
        self._pending = b""
        self.resume_writing()
        call, self._call, self._decoder = self._call, None, None
        if call is not None and not call.response_complete:
            call.lose()
            call.cancel("client_gone")

    def data_received(self, data: bytes) -> None:
        """Read what came, up to the end of one request."""
        if self._closing:
            return
        if self._decoder is not None:
            self._read_body(data)
            return
        if not self._pending and self._call is None:
            self._since = self.loop.time()  # the clock of a head begins
        self._pending = self._pending + data if self._pending else data
        self._go_on()

    def _go_on(self) -> None:
        """Read the next request, unless its client leaves answers unread: they would pile up here."""
        if self._call is None and self._pending and not self.write_paused:
            self._read_head()
        self.flow()

    def _read_head(self) -> None:
        while self._pending.startswith(b"\r\n"):  # RFC 9112 2.2
            self._pending = self._pending[2:]
        if not self._pending:
            return
        try:
            end = end_of_request_head(self._pending, self._seen)
            self._seen = 0 if end else len(self._pending)
            if end:
                head = parse_request(self._pending[:end])
                rest, self._pending = self._pending[end:], b""
                self._begin(head, rest)
        except MalformedError as exc:
            self._refuse(exc.status, str(exc))

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        self._registry.idle.pop(self, None)
        self._probes = 0
        call = self._call = Call(head, self, self.client)
        decoder = decoder_of(head.framing)
        if decoder.done:
            call.feed_end()
            self._pending = rest
        else:
            self._decoder = decoder
            if rest:
                self._read_body(rest)
        if not self._closing:
            self._registry.run(call)

    def _read_body(self, data: bytes) -> None:
        call, decoder = self._call, self._decoder
        if call is None or decoder is None:
            return
        try:
            piece = decoder.feed(data)
        except MalformedError:
            self._refuse(HTTPStatus.BAD_REQUEST, "not a valid HTTP request")
            return
        call.moved = time.monotonic_ns()
        if piece and not call.response_complete:
            call.feed(piece)
        if decoder.done:
            self._decoder = None
            self._pending = decoder.rest
            call.feed_end()
            if call.response_complete:
                self._next()
                return
        self.flow()

    def flow(self) -> None:
        """Read on or pause: a call may hold so much, and what follows its request waits."""
        call = self._call
        wants_pause = self.write_paused if call is None else call.held > HELD_BYTES or bool(self._pending)
        if wants_pause == self._read_paused or self._closing or self.transport.is_closing():
            return
        self._read_paused = wants_pause
        if wants_pause:
            self._since = self.loop.time()
            self.transport.pause_reading()
        elif not self._eof:
            self.transport.resume_reading()

    def switch(self) -> None:
        """Hand on what comes as it is."""
        self._decoder = Endless()
        rest, self._pending = self._pending, b""
        if rest:
            self._read_body(rest)
        self.flow()

    def ended(self, call: Call) -> None:
        """Go on to the next request."""
        self._has_called = self._has_called or call.admitted
        self._since = self.loop.time()
        if call.is_whole:
            self._next()
        else:
            # The answer came before the request's end: what still comes of it is read and forgotten.
            call.held = 0
            self.flow()

    def _next(self) -> None:
        self._call = None
        if self._closing or self.transport.is_closing():
            return
        if self._eof and not self._pending:
            self.transport.close()
            return
        self._registry.idle[self] = None
        self._go_on()

    def eof_received(self) -> bool:
        """Keep the connection for the answer where the request is whole: its client may only be done."""
        self._eof = True
        call = self._call
        if call is None or self._closing or not call.is_whole:
            return False
        self._since = self.loop.time()
        return not self.transport.get_extra_info("ssl_object")  # RFC 8446 6.1: there the end is of both sides

    def look(self, now: float) -> None:
        """Close what has waited for too long; notice a client that has left while nothing is read."""
        waited = now - self._since
        call = self._call
        if self._closing:
            if waited > LINGER_SECONDS:
                self.transport.abort()
        elif call is not None and not call.response_complete:
            if self._read_paused or self._eof:
                self._look_for_hangup(call, waited)
        elif (self._pending or call is not None) and waited > HEADER_SECONDS:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "headers took too long")
        elif waited > (KEEPALIVE_SECONDS if self._has_called else HEADER_SECONDS):
            self.transport.close()

    def _look_for_hangup(self, call: Call, waited: float) -> None:
        seen = hangup_of(self.transport.get_extra_info("socket").fileno())
        silent = (time.monotonic_ns() - call.moved) / 1e9
        verdict = hangup.verdict(
            seen, begun=call.response_started, waited=waited, silent=silent, probes=self._probes
        )
        if verdict == "gone":
            self.transport.abort()
        elif verdict == "probe":
            self._probes += 1
            call.probe()

    def give_up(self, *, reading: bool) -> None:
        """Close once all is sent; a client that is still sending gets time to read first."""
        if self._closing:
            return
        self._closing = True
        self._since = self.loop.time()
        if reading and not self._eof and not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
            if self._read_paused:
                self._read_paused = False
                self.transport.resume_reading()
        else:
            self.transport.close()

    def stop(self) -> None:
        """End after the call that runs; at once without one."""
        if self._call is None:
            self.transport.close()
        else:
            self._call.keep_alive = False

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Answer a request that no call came of; amid another's answer, only end the connection."""
        call = self._call
        if call is not None and not call.response_complete:
            call.lose()
            call.cancel("client_gone")
            if call.response_started:
                self.transport.abort()
                return
        body, headers = refusal(status, reason, b"")
        fields = b"".join([b"%b: %b\r\n" % header for header in headers])
        self.transport.write(
            b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\nConnection: close\r\n\r\n%b"
            % (status, status.phrase.encode(), fields, len(body), body)
        )
        self.give_up(reading=True)

    def pause_writing(self) -> None:
        """Note that the client reads too slowly."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self.write_paused = False
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None
        if not self._closing:
            self._go_on()

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        while self.write_paused:
            if self._writable is None:
                self._writable = self.loop.create_future()
            await self._writable
