"""One request and its answer on a client's connection."""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus
from typing import Literal, Protocol

from proxy.wire.message.handover import Handover
from proxy.wire.message.head import HeaderList, RequestHead

# Files of up to 512 MB are uploaded to providers; a gigabyte is no call.
LARGEST_BODY = 1 << 30
# What is held of a body that nobody reads; its client waits there.
HELD_BYTES = 64 << 10
# Up to here a head and its body leave in one packet, which wakes the peer once; beyond, the copy costs more.
JOINED_BYTES = 16 << 10

_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_LAST_CHUNK = b"0\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # linger for no time: the close is a reset (socket(7))

Cut = Literal["client_gone", "shutdown", "timeout"]


class ClientGoneError(Exception):
    """The client has left."""


class BodyTooLargeError(Exception):
    """The request's body is larger than ``LARGEST_BODY``."""


class Line(Protocol):
    """The connection that a call came on."""

    transport: asyncio.Transport
    write_paused: bool
    over_limit: bool
    over_share: bool

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        ...

    def flow(self) -> None:
        """Read on or pause, as the call now holds less or more."""
        ...

    def ended(self, call: "Call") -> None:
        """Go on to the next request; the call has its whole answer."""
        ...

    def give_up(self, *, reading: bool) -> None:
        """Close once all is sent; ``reading`` where the client may still be sending."""
        ...

    def switch(self) -> None:
        """Hand on what comes as it is: it is no HTTP any more."""
        ...


class Call:
    """One request and its answer. Times, sizes and order are as on the wire.

    ``wants_upgrade`` offers another protocol; ``client`` is the peer's address; ``moved`` is when anything
    last came or left (monotonic ns).
    """

    def __init__(self, head: RequestHead, line: Line, client: str) -> None:
        self.method = head.method
        self.target = head.target
        self.headers = head.headers
        self.wants_upgrade = head.wants_upgrade
        self.client = client
        self.over_limit = line.over_limit
        """There are too many connections for anything but the proxy's own pages."""
        self.over_share = line.over_share
        """The client's address has too many connections."""
        self.admitted = False
        """The call was forwarded; its connection may lie idle for long."""
        self.cut: Cut | None = None
        """Why the call was cancelled; None while it runs."""
        self.begun = self.moved = time.monotonic_ns()
        self.status = 0
        """What the client got; 0 while it has got nothing."""
        self.keep_alive = head.keep_alive
        self.size = head.framing.length if head.framing.body != "chunked" else -1
        """How long the body is; -1 where it comes in chunks."""
        self.response_started = False
        self.response_complete = False
        self.disconnected = False
        self.held = 0
        self.is_whole = False
        """All of the request is here."""
        self.http11 = head.http11
        self._awaits_continue = head.expects_continue
        self._line = line
        self._transport = line.transport
        self._task: asyncio.Task[None] | None = None
        self._pieces: deque[bytes] = deque()
        self._arrived: Handover[None] | None = None
        self._received = 0
        self._framed = False
        self._has_body = True
        self._switched = False
        self._unsent = b""

    def run_in(self, task: "asyncio.Task[None] | None") -> None:
        """Note what ``cancel`` has to stop; None once there is nothing."""
        self._task = task

    def feed(self, piece: bytes) -> None:
        """Take some of the request's body."""
        self._received += len(piece)
        self._pieces.append(piece)
        self.held += len(piece)
        self._wake()

    def feed_end(self) -> None:
        """Take the end of the request's body."""
        self.is_whole = True
        self._wake()

    def lose(self) -> None:
        """Note that the client has left."""
        self.disconnected = True
        self._wake()

    @property
    def is_too_large(self) -> bool:
        """More than ``LARGEST_BODY`` has come, or is announced."""
        return not self._switched and max(self._received, self.size) > LARGEST_BODY

    def take(self) -> bytes:
        """Return what has arrived of the body and was not returned before."""
        taken = self._pieces.popleft() if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.held = 0
        self._line.flow()
        return taken

    async def read(self) -> bytes:
        """Return the next piece of the request's body, nothing at its end.

        Raises ``ClientGoneError`` and ``BodyTooLargeError``. Giving up while it waits loses nothing.
        """
        if self._awaits_continue:
            self._awaits_continue = False
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._pieces and not self.is_whole:
            if self.disconnected:
                raise ClientGoneError
            self._arrived = Handover(asyncio.get_running_loop())
            try:
                await self._arrived
            finally:
                self._arrived = None
        if self.is_too_large:
            raise BodyTooLargeError
        return self.take() if self._pieces else b""

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done:
            self._arrived.give(None)

    def start(self, status: int, reason: bytes, headers: HeaderList, coding: bytes = b"chunked") -> None:
        """Send status and headers; adds the framing that this connection needs, and nothing else.

        They leave with the first ``write``, ``flush`` or ``end``: one packet wakes the client once.
        ``coding`` is the ``Transfer-Encoding`` of a body in chunks.
        """
        if self._awaits_continue and not self.is_whole:
            # It may send its body or not; nobody can tell where its next request would begin.
            self.keep_alive = False
        self._awaits_continue = False
        self.response_started = True
        self.status = status
        head = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
        head += [b"%b: %b\r\n" % header for header in headers]
        self._has_body = self.method != "HEAD" and status not in _NO_BODY
        self._framed = False
        if self._has_body and self.http11 and not self._switched:
            self._framed = not any(name.lower() == b"content-length" for name, _ in headers)
        if self._framed:
            head.append(b"Transfer-Encoding: %b\r\n" % coding)
        if not self.keep_alive and not self._switched:
            head.append(b"Connection: close\r\n")
        head.append(b"\r\n")
        self._unsent = b"".join(head)

    def switch(self, reason: bytes, headers: HeaderList) -> None:
        """Answer 101: from here on both sides' bytes go as they are, and ``read`` returns the client's."""
        self._switched = True
        self.keep_alive = self.is_whole = False
        self.size = 0
        self.start(HTTPStatus.SWITCHING_PROTOCOLS, reason, headers)
        self.flush()
        self._line.switch()

    def write(self, piece: bytes) -> None:
        """Send some of the body."""
        if not self._has_body or self.disconnected:
            return
        if len(piece) > JOINED_BYTES:
            self.flush()
        head, self._unsent = self._unsent, b""
        if self._framed:
            self._transport.write(b"%b%x\r\n%b\r\n" % (head, len(piece), piece))
        else:
            self._transport.write(head + piece if head else piece)

    def flush(self) -> None:
        """Send what ``start`` has left for the first ``write``."""
        head, self._unsent = self._unsent, b""
        if head:
            self._transport.write(head)

    @property
    def is_behind(self) -> bool:
        """The client reads more slowly than is sent; ``drain`` before the next ``write``."""
        return self._line.write_paused

    async def drain(self) -> None:
        """Wait until the client has read enough."""
        await self._line.drain()

    def end(self) -> None:
        """End the response well."""
        if self.disconnected:
            return
        last = self._unsent + _LAST_CHUNK if self._framed else self._unsent
        self._unsent = b""
        if last:
            self._transport.write(last)
        self.response_complete = True
        self._wake()
        if self.keep_alive:
            self._line.ended(self)
        else:
            self._line.give_up(reading=not self.is_whole)

    def answer(self, status: HTTPStatus, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        """Send a whole answer of the proxy's own."""
        own = [*headers, (b"Content-Length", b"%d" % len(body))]
        self.start(status, status.phrase.encode(), own)
        self.write(body)
        self.end()

    def probe(self) -> None:
        """Make a client that has left show it: what comes after its end is answered by a reset.

        One that only ended its sending passes over it (RFC 9110 15.2).
        """
        if self.http11 and not self.response_started and not self._awaits_continue:
            self._transport.write(b"HTTP/1.1 102 Processing\r\n\r\n")

    def abort(self) -> None:
        """Break the connection, so that the client cannot take what it got for the whole."""
        self.flush()
        self.response_complete = True
        self._wake()
        if not self.http11:
            # Without a length or chunks the end of the connection is the end of the body; a reset is not.
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            self._line.give_up(reading=not self.is_whole)

    def cancel(self, why: Cut) -> None:
        """Stop the call where it stands."""
        if self._task is not None and self.cut is None:
            self.cut = why
            self._task.cancel()
