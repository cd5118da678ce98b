"""One request and its answer on a client's connection, in place of uvicorn's ASGI messages."""

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from proxy.wire.headers import HeaderList, first

# Files of up to 512 MB are uploaded to providers; a gigabyte is no call.
LARGEST_BODY = 1 << 30

_NO_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_LAST_CHUNK = b"0\r\n\r\n"
_RESET = struct.pack("ii", 1, 0)  # linger for no time: the close is a reset (socket(7))


Cut = Literal["client_gone", "shutdown"]


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head as it was on the wire."""

    method: str
    target: bytes
    headers: HeaderList
    http11: bool
    keep_alive: bool
    wants_upgrade: bool
    expects_continue: bool


class ClientGoneError(Exception):
    """The client has left."""


class BodyTooLargeError(Exception):
    """The request's body is larger than ``LARGEST_BODY``."""


class Call(RequestResponseCycle):
    """One request and its answer. Times, sizes and order are as on the wire; nothing waits but ``read``."""

    def __init__(self, head: Head, connection: HttpToolsProtocol, close: Callable[[bool], None]) -> None:
        """``close`` ends the connection once all is sent; told whether the client may still be sending."""
        self.method = head.method
        self.target = head.target
        self.headers = head.headers
        self.wants_upgrade = head.wants_upgrade
        self.cut: Cut | None = None
        """Why the call was cancelled; None while it runs."""
        self.begun = 0
        """When the call was taken up (monotonic ns)."""
        self.status = 0
        """What the client got; 0 while it has got nothing."""
        self._http11 = head.http11
        self._close = close
        self._task: asyncio.Task[None] | None = None
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._declared = int(first(head.headers, b"content-length") or 0)
        self._received = 0
        self._framed = False
        self._has_body = True
        super().__init__(
            scope={},  # type: ignore[typeddict-item] # nothing here speaks ASGI
            transport=connection.transport,
            flow=connection.flow,
            logger=connection.logger,
            access_logger=connection.access_logger,
            access_log=False,
            default_headers=[],
            message_event=asyncio.Event(),
            expect_100_continue=head.expects_continue,
            keep_alive=head.keep_alive,
            on_response=connection.on_response_complete,
        )

    async def run_asgi(self, app: Any) -> None:
        """Have the call handled; uvicorn's name for it."""
        self._task = asyncio.current_task()
        self.begun = time.monotonic_ns()
        if self.disconnected:
            return
        try:
            await app(self)
        finally:
            self._task = None
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
        """More than ``LARGEST_BODY`` has come, or is announced."""
        return self._received > LARGEST_BODY or self._declared > LARGEST_BODY

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
        if self.waiting_for_100_continue and self.more_body:
            # It may send its body or not; nobody can tell where its next request would begin.
            self.keep_alive = False
        self.waiting_for_100_continue = False
        self.response_started = True
        self.status = status
        head = [b"HTTP/1.1 %d %b\r\n" % (status, reason)]
        head += [b"%b: %b\r\n" % header for header in headers]
        self._has_body = self.method != "HEAD" and status not in _NO_BODY
        self._framed = False
        measured = any(name.lower() == b"content-length" for name, _ in headers)
        if self._has_body and not measured and self._http11:
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
            self._close(self.more_body)
        self.on_response()

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
        if not self._http11:
            # Without a length or chunks the end of the connection is the end of the body; a reset is not.
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.transport.abort()
        else:
            self._close(self.more_body)

    def cancel(self, why: Cut) -> None:
        """Stop the call where it stands."""
        if self._task is not None and self.cut is None:
            self.cut = why
            self._task.cancel()
