"""The transport to all upstreams: connections that are used again, and one new try where that went wrong."""

import asyncio
import time
from collections.abc import Iterator
from typing import Protocol

from proxy.wire.message.head import AnswerHead
from proxy.wire.upstream.connection import Take, UpstreamConnection
from proxy.wire.upstream.dial import Dialer
from proxy.wire.upstream.failure import BrokenError, UpstreamError
from proxy.wire.upstream.request import BodySource, Origin, Request

# Below what providers and their load balancers keep idle connections for (60 s and more).
_IDLE_SECONDS = 30.0
_SWEEP_SECONDS = 5.0
# What is kept of a body on its way, to send it again. A larger one gets a connection of its own.
_REPLAYED_BYTES = 1 << 20
# Up to here a head and its body leave in one packet, which wakes the peer once; beyond, the copy costs more.
_JOINED_BYTES = 16 << 10


class Answer(Protocol):
    """An answer whose head is there. ``waited`` is how long others took, in ns: to connect, and to answer."""

    head: AnswerHead
    waited: int

    @property
    def has_arrived(self) -> bool:
        """``pump`` has something to hand out at once, or is done."""
        ...

    async def pump(self, take: Take) -> bool:
        """Hand each piece of the body to ``take`` as it arrives; False as soon as ``take`` says to stop.

        Call it again to go on; True means that the body is whole. Raises ``UpstreamError``.
        """
        ...

    def close(self) -> None:
        """Give the connection back if the exchange is over, else break it."""
        ...

    def write(self, data: bytes) -> None:
        """Send bytes after the protocol was switched."""
        ...

    async def drain(self) -> None:
        """Wait until the upstream has read enough. Raises ``UpstreamError``."""
        ...


class Transport(Protocol):
    """What sends requests."""

    async def send(self, request: Request) -> Answer:
        """Send a request; return as soon as the answer's head is there. Raises ``UpstreamError``."""
        ...


class _Replay:
    """A body on its way, of which the first megabyte can be sent again."""

    def __init__(self, source: BodySource) -> None:
        self._source = source
        self._kept: list[bytes] = []
        self._held = 0
        self._at = 0
        self.is_whole = True
        """All that was read is still at hand."""

    def rewind(self) -> None:
        self._at = 0

    async def read(self) -> bytes:
        if self._at < len(self._kept):
            self._at += 1
            return self._kept[self._at - 1]
        piece = await self._source.read()
        self._held += len(piece)
        if self._held <= _REPLAYED_BYTES:
            self._kept.append(piece)
            self._at += 1
        else:
            self.is_whole = False
            self._kept.clear()
            self._at = 0
        return piece


class UpstreamPool:
    """Sends requests over connections that lie idle, or new ones."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._idle: dict[Origin, list[UpstreamConnection]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def send(self, request: Request) -> "Exchange":
        """Send a request; return as soon as the answer's head is there. Raises ``UpstreamError``.

        Where a connection that was used before ends before anything of an answer came, the upstream had
        closed it as the request left: the request goes once more, over a new connection.
        """
        began = time.monotonic_ns()
        replay = None if isinstance(request.body, bytes) else _Replay(request.body)
        reused = self._take(request.origin) if request.size <= _REPLAYED_BYTES else None
        if reused is not None:
            exchange = Exchange(self, request, reused, began)
            try:
                await exchange.begin(replay)
            except BrokenError as exc:
                if not exc.untouched or (replay is not None and not replay.is_whole):
                    raise
                if replay is not None:
                    replay.rewind()
            else:
                return exchange
        connection = await self._dialer.open(request.origin)
        exchange = Exchange(self, request, connection, began)
        await exchange.begin(replay)
        return exchange

    def close(self) -> None:
        """Close all idle connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._all()):
            connection.close()
        self._idle.clear()

    def give_back(self, origin: Origin, connection: UpstreamConnection) -> None:
        """Keep a connection whose exchange is over."""
        connection.idle_since = self._loop.time()
        connection.on_unusable = lambda gone: self._forget(origin, gone)
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _take(self, origin: Origin) -> UpstreamConnection | None:
        """Return the connection that was used last, as it is the likeliest to live."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            connection.on_unusable = None
            if connection.is_usable and self._loop.time() - connection.idle_since < _IDLE_SECONDS:
                return connection
            connection.close()
        return None

    def _forget(self, origin: Origin, gone: UpstreamConnection) -> None:
        idle = self._idle.get(origin, [])
        if gone in idle:
            idle.remove(gone)
        if not idle:
            self._idle.pop(origin, None)

    def _sweep(self) -> None:
        self._sweeper = None
        oldest = self._loop.time() - _IDLE_SECONDS
        for connection in list(self._all()):
            if connection.idle_since <= oldest:
                connection.close()
                if connection.on_unusable is not None:
                    connection.on_unusable(connection)
        if self._idle:
            self._sweeper = self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _all(self) -> Iterator[UpstreamConnection]:
        for idle in self._idle.values():
            yield from idle


class Exchange:
    """One request and its answer on one connection."""

    head: AnswerHead

    def __init__(
        self, pool: UpstreamPool, request: Request, connection: UpstreamConnection, began: int
    ) -> None:
        self.waited = 0
        self._pool = pool
        self._request = request
        self._connection = connection
        self._began = began
        self._upload: asyncio.Task[None] | None = None

    async def begin(self, replay: _Replay | None) -> None:
        """Send the request and wait for the answer's head. Raises ``UpstreamError``."""
        connection, request = self._connection, self._request
        connection.begin(request.method, may_switch=_offers_switch(request))
        head = head_bytes(request, connection.via_proxy)
        connected = time.monotonic_ns()
        if isinstance(request.body, bytes):
            body = one_chunk(request.body) if request.size < 0 else request.body
            if len(body) > _JOINED_BYTES:
                connection.write(head)
                connection.write(body)
            else:
                connection.write(head + body)
        elif replay is not None:
            connection.write(head)
            self._upload = asyncio.create_task(self._send(replay))
            self._upload.add_done_callback(_take_note)
        sent = time.monotonic_ns()
        try:
            self.head = await connection.head()
        except BaseException:
            if self._upload is not None:
                self._upload.cancel()
            connection.abort()
            raise
        self.waited = connected - self._began + time.monotonic_ns() - sent

    async def _send(self, replay: _Replay) -> None:
        connection, chunked = self._connection, self._request.size < 0
        try:
            while piece := await replay.read():
                connection.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                await connection.drain()
            if chunked:
                connection.write(b"0\r\n\r\n")
        except UpstreamError:
            raise  # the connection knows
        except Exception as exc:
            connection.fail(exc)
            raise

    @property
    def has_arrived(self) -> bool:
        """As ``Answer`` has it."""
        return self._connection.has_arrived

    async def pump(self, take: Take) -> bool:
        """As ``Answer`` has it."""
        return await self._connection.pump(take)

    def write(self, data: bytes) -> None:
        """As ``Answer`` has it."""
        self._connection.write(data)

    async def drain(self) -> None:
        """As ``Answer`` has it."""
        await self._connection.drain()

    def close(self) -> None:
        """As ``Answer`` has it."""
        unsent = self._upload is not None and not self._upload.done()
        if self._upload is not None:
            self._upload.cancel()
        if self._connection.finish() and not unsent:
            self._pool.give_back(self._request.origin, self._connection)
        else:
            self._connection.abort()


def head_bytes(request: Request, via_proxy: bytes | None) -> bytes:
    """Return the head on the wire; ``via_proxy`` is the login of a proxy that passes the request on."""
    target, login = request.target, b""
    if via_proxy is not None:
        # RFC 9112 3.2.2: to a proxy, the absolute form.
        origin = request.origin
        target, login = f"{origin.scheme}://{origin.authority}".encode() + target, via_proxy
    fields = b"".join([b"%b: %b\r\n" % header for header in request.headers])
    return b"%b %b HTTP/1.1\r\n%b%b\r\n" % (request.method.encode("ascii"), target, login, fields)


def one_chunk(body: bytes) -> bytes:
    """Return a whole body in chunks."""
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"


def _offers_switch(request: Request) -> bool:
    return any(name.lower() == b"upgrade" for name, _ in request.headers)


def _take_note(ended: "asyncio.Future[None]") -> None:
    """Take a failure that is told elsewhere."""
    if not ended.cancelled():
        ended.exception()
