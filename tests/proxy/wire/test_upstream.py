"""The transport on its own, against a provider that says exactly what a test wants."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from groundwork.settings.proxies import proxies_of
from proxy.wire.upstream.dial import Dialer
from proxy.wire.upstream.failure import BrokenError, UpstreamError
from proxy.wire.upstream.pool import Answer, UpstreamPool
from proxy.wire.upstream.request import Origin, Request
from proxy.wire.upstream.resolver import GuardedResolver
from tests.proxy.inside import run

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def against(
    provider: Exchange, test: Callable[[Callable[[], Request], UpstreamPool], Awaitable[None]]
) -> None:
    """Run ``test`` with a transport and a way to make requests to ``provider``."""

    connections: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(cast("asyncio.Task[None]", asyncio.current_task()))
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await provider(reader, writer)
            writer.close()
            await writer.wait_closed()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = UpstreamPool(Dialer(GuardedResolver(lambda _: True), proxies_of({})))

        def request() -> Request:
            headers = [(b"Host", b"h"), (b"Content-Length", b"1")]
            return Request(Origin("http", "127.0.0.1", port), "POST", b"/v1/x", headers, b"x", 1)

        try:
            await test(request, transport)
        finally:
            transport.close()
            await asyncio.gather(*connections)
            server.close()
            await server.wait_closed()

    run(main)


async def heard(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1)


async def read(answer: Answer) -> bytes:
    """Return the whole body and give the connection back."""
    pieces: list[bytes] = []
    try:
        assert await answer.pump(lambda piece: bool(pieces.append(piece)))
    finally:
        answer.close()
    return b"".join(pieces)


def test_connections_are_used_again() -> None:
    peers = []

    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer)
        for _ in range(3):
            assert await heard(reader) == b"POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
            writer.write(OK)

    async def test(request: Any, transport: UpstreamPool) -> None:
        for _ in range(3):
            assert await read(await transport.send(request())) == b"ok"

    against(provider, test)
    assert len(peers) == 1


def test_a_connection_on_which_something_came_unasked_is_not_used_again() -> None:
    peers = []

    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer)
        await heard(reader)
        writer.write(OK)
        if len(peers) > 1:
            return
        await unasked.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async def test(request: Any, transport: UpstreamPool) -> None:
        assert await read(await transport.send(request())) == b"ok"
        unasked.set()
        while transport._idle:  # noqa: ASYNC110 - the pool's own state
            await asyncio.sleep(0.005)
        assert await read(await transport.send(request())) == b"ok"

    unasked = asyncio.Event()
    against(provider, test)
    assert len(peers) == 2


def test_what_came_before_a_break_is_handed_out_before_it_is_told() -> None:
    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async def test(request: Any, transport: UpstreamPool) -> None:
        answer = await transport.send(request())
        pieces: list[bytes] = []
        with pytest.raises(BrokenError, match="the connection was closed"):
            await answer.pump(lambda piece: bool(pieces.append(piece)))
        answer.close()
        assert pieces == [b"half"]

    against(provider, test)


def test_a_switch_of_protocols_that_nobody_asked_for_is_an_error() -> None:
    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        await reader.read()

    async def test(request: Any, transport: UpstreamPool) -> None:
        with pytest.raises(UpstreamError):
            await transport.send(request())

    against(provider, test)


@pytest.mark.parametrize("broken", [b"zz\r\n", b"1\r\nabc\r\n", b"-1\r\n\r\n"])
def test_a_body_whose_framing_breaks_ends_in_an_error(broken: bytes) -> None:
    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        await begun.wait()  # so that header and break arrive in two reads
        writer.write(broken)
        await reader.read()

    async def test(request: Any, transport: UpstreamPool) -> None:
        answer = await transport.send(request())
        pieces: list[bytes] = []

        def take(piece: bytes) -> bool:
            pieces.append(piece)
            begun.set()
            return False

        with pytest.raises(UpstreamError):
            await answer.pump(take)
        answer.close()
        assert pieces[0] == b"ok"

    begun = asyncio.Event()
    against(provider, test)
