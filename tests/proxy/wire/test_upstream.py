"""The transport on its own, against a provider that says exactly what a test wants."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
import pytest

from proxy.wire.upstream import UpstreamTransport
from tests.proxy.inside import run

Exchange = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def against(
    provider: Exchange, test: Callable[[Callable[[], httpx.Request], UpstreamTransport], Awaitable[None]]
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
        transport = UpstreamTransport()

        def request() -> httpx.Request:
            return httpx.Request(
                "POST",
                f"http://127.0.0.1:{port}",
                headers=[(b"Host", b"h"), (b"Content-Length", b"1")],
                stream=httpx.ByteStream(b"x"),
                extensions={"target": b"/v1/x"},
            )

        try:
            await test(request, transport)
        finally:
            await transport.aclose()
            await asyncio.gather(*connections)
            server.close()
            await server.wait_closed()

    run(main)


async def heard(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1)


async def read(response: httpx.Response) -> bytes:
    assert isinstance(response.stream, httpx.AsyncByteStream)
    body = b"".join([piece async for piece in response.stream])
    await response.aclose()
    return body


def test_connections_are_used_again() -> None:
    peers = []

    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer)
        for _ in range(3):
            assert await heard(reader) == b"POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx"
            writer.write(OK)

    async def test(request: Any, transport: UpstreamTransport) -> None:
        for _ in range(3):
            assert await read(await transport.handle_async_request(request())) == b"ok"

    against(provider, test)
    assert len(peers) == 1


def test_a_connection_on_which_something_came_unasked_is_not_used_again() -> None:
    peers = []

    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peers.append(writer)
        await heard(reader)
        writer.write(OK)
        await unasked.wait()
        writer.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        await reader.read()

    async def test(request: Any, transport: UpstreamTransport) -> None:
        assert await read(await transport.handle_async_request(request())) == b"ok"
        pooled = next(iter(transport._connector._conns.values()))[0][0]
        unasked.set()
        while not pooled.should_close:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0.005)
        response = await transport.handle_async_request(request())
        assert response.status_code == 200
        await response.aclose()

    unasked = asyncio.Event()
    against(provider, test)
    assert len(peers) == 2


def test_what_came_before_a_break_is_handed_out_before_it_is_told() -> None:
    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")

    async def test(request: Any, transport: UpstreamTransport) -> None:
        response = await transport.handle_async_request(request())
        stream: Any = response.stream
        while stream._protocol.connected:  # noqa: ASYNC110 - aiohttp has no event for it
            await asyncio.sleep(0.005)
        pieces = aiter(stream)
        assert await anext(pieces) == b"half"
        with pytest.raises(httpx.ReadError, match="the connection was closed"):
            await anext(pieces)
        await response.aclose()

    against(provider, test)


def test_a_switch_of_protocols_that_nobody_asked_for_is_an_error() -> None:
    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        await reader.read()

    async def test(request: Any, transport: UpstreamTransport) -> None:
        with pytest.raises(httpx.RemoteProtocolError):
            await transport.handle_async_request(request())

    against(provider, test)


@pytest.mark.parametrize("broken", [b"zz\r\n", b"1\r\nabc\r\n", b"-1\r\n\r\n"])
def test_a_body_whose_framing_breaks_ends_in_an_error(broken: bytes) -> None:
    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await heard(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n")
        await asyncio.sleep(0.05)  # so that header and break arrive in two reads
        writer.write(broken)
        await reader.read()

    async def test(request: Any, transport: UpstreamTransport) -> None:
        response = await transport.handle_async_request(request())
        stream = aiter(cast("httpx.AsyncByteStream", response.stream))
        assert await anext(stream) == b"ok"
        with pytest.raises(httpx.ReadError):
            [piece async for piece in stream]
        await response.aclose()

    against(provider, test)
