"""HTTP/1.1 towards the provider: httpx's transport seam on aiohttp's connection pool, byte for byte.

aiohttp's session and httpx's client both add headers, normalise paths and follow what they are told by
servers; its connector gives connections, TLS and proxies, its parser reads responses, and that is all.
"""

import asyncio
import os
import time
import urllib.request
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import aiohttp
import httpx
import yarl
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import StreamReader

from proxy.wire.resolver import AddressRefusedError, GuardedResolver
from proxy.wire.routing import Upstream, is_loopback, may_be_here

# The only thing that is timed: a host that does not answer the connection attempt.
CONNECT_SECONDS = 10.0
# Below what providers and their load balancers keep idle connections for (60 s and more).
_KEEPALIVE_SECONDS = 30.0
# Responses carry long headers: policies, tracing, rate limits.
_LARGEST_FIELD = 64 << 10
_MOST_FIELDS = 512
# What one read returns at most is twice this; a slow client stops the upstream there.
_READ_BUFFER = 128 << 10
# Hosts whose connection parameters are kept; only allowed hosts come here, but *.suffix can match many.
_ORIGINS = 256
_LOGIN = "Proxy-Authorization"


class UpstreamTransport(httpx.AsyncBaseTransport):
    """Sends ``request.extensions["target"]`` and the raw headers as they are; relays what comes back.

    The response's extension ``waited`` is how long others took, in ns: to connect, and to answer.
    A body of type ``httpx.ByteStream`` is sent at once, any other as it comes, while the response is
    awaited. Raises ``httpx.TransportError`` and nothing else.
    """

    def __init__(self, upstreams: tuple[Upstream, ...] = ()) -> None:
        """``upstreams`` are the configured ones; ``resolver.py`` says which of their addresses are not."""
        resolver = GuardedResolver(lambda host: may_be_here(host, upstreams))
        self._connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=_KEEPALIVE_SECONDS, resolver=resolver
        )
        self._timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS)
        self._origins: dict[str, aiohttp.ClientRequest] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return the response as soon as its header is there."""
        origin = self._origin(request.url)
        head = _head(request, origin)
        began = time.monotonic_ns()
        connection = await self._connect(origin)
        connecting = time.monotonic_ns() - began
        try:
            return await _exchange(connection, request, head, connecting)
        except BaseException:
            connection.close()
            raise

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connector.close()

    async def _connect(self, origin: aiohttp.ClientRequest) -> Connection:
        try:
            while True:
                connection = await self._connector.connect(origin, [], self._timeout)
                if connection.protocol is not None and not connection.protocol.should_close:
                    return connection
                connection.close()  # something came unasked while it was idle
        except TimeoutError as exc:
            raise httpx.ConnectTimeout("no connection within 10 s") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise httpx.ConnectError(_reason(exc)) from exc

    def _origin(self, url: httpx.URL) -> aiohttp.ClientRequest:
        """Return what the connector wants to know of a host; never sent itself."""
        key = str(url)
        origin = self._origins.get(key)
        if origin is None:
            if len(self._origins) >= _ORIGINS:
                self._origins.clear()
            origin = self._origins[key] = _describe(yarl.URL(key, encoded=True))
        return origin


def _describe(url: yarl.URL) -> aiohttp.ClientRequest:
    proxy = _proxy_for(url)
    headers = None
    if proxy is not None and proxy.user is not None:
        login = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
        headers = {_LOGIN: login}
        proxy = proxy.with_user(None)
    session: Any = None  # only requests that are sent need one
    loop = asyncio.get_running_loop()
    return aiohttp.ClientRequest("GET", url, loop=loop, session=session, proxy=proxy, proxy_headers=headers)


def _proxy_for(url: yarl.URL) -> yarl.URL | None:
    """Return the proxy that the environment asks for: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY."""
    host = url.raw_host or ""
    proxies = urllib.request.getproxies_environment()
    if is_loopback(host) or urllib.request.proxy_bypass(host):
        return None
    proxy = proxies.get(url.scheme) or proxies.get("all")
    return yarl.URL(proxy) if proxy else None


def _head(request: httpx.Request, origin: aiohttp.ClientRequest) -> bytes:
    method, target = request.method.encode("ascii"), request.extensions["target"]
    login = ""
    if origin.proxy is not None and not origin.is_ssl():
        # RFC 9112 3.2.2: to a proxy, the absolute form.
        target = str(origin.url.origin()).encode() + target
        headers: Any = origin.proxy_headers or {}  # aiohttp takes many shapes; _describe gives a dict
        login = headers.get(_LOGIN, "")
    lines = [b"%b %b HTTP/1.1\r\n" % (method, target)]
    if login:
        lines.append(f"{_LOGIN}: {login}\r\n".encode("latin-1"))
    lines += [b"%b: %b\r\n" % header for header in request.headers.raw]
    lines.append(b"\r\n")
    return b"".join(lines)


async def _exchange(
    connection: Connection, request: httpx.Request, head: bytes, connecting: int
) -> httpx.Response:
    protocol, transport = connection.protocol, connection.transport
    if protocol is None or transport is None:
        raise httpx.ConnectError("the connection was closed")
    protocol.set_response_params(
        skip_payload=request.method == "HEAD",
        read_until_eof=True,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=_LARGEST_FIELD,
        max_field_size=_LARGEST_FIELD,
        max_headers=_MOST_FIELDS,
    )
    chunked = any(name.lower() == b"transfer-encoding" for name, _ in request.headers.raw)
    upload = None
    if isinstance(request.stream, httpx.ByteStream):
        body = b"".join(request.stream)
        transport.write(head + (_one_chunk(body) if chunked else body))
    else:
        transport.write(head)
        upload = asyncio.create_task(_upload(protocol, request.stream, chunked=chunked))
        upload.add_done_callback(_take_note)
    sent = time.monotonic_ns()
    try:
        message, content = await _await_response(protocol)
    except BaseException:
        if upload is not None:
            upload.cancel()
        raise
    waited = connecting + time.monotonic_ns() - sent
    stream = _ResponseStream(connection, protocol, content, upload)
    extensions = {"reason_phrase": message.reason.encode("latin-1", "replace"), "waited": waited}
    return httpx.Response(message.code, headers=message.raw_headers, stream=stream, extensions=extensions)


async def _upload(protocol: ResponseHandler, stream: Any, *, chunked: bool) -> None:
    writer = StreamWriter(protocol, asyncio.get_running_loop())
    if chunked:
        writer.enable_chunking()
    try:
        async for piece in stream:
            await writer.write(piece)
        if chunked:
            await writer.write_eof()
    except Exception:
        # Half a request gets no answer; the end of the connection wakes whoever waits for it.
        if protocol.transport is not None:
            protocol.transport.abort()
        raise


def _one_chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"


def _take_note(ended: "asyncio.Future[None]") -> None:
    """Take a failure that the exchange itself reports."""
    if not ended.cancelled():
        ended.exception()


async def _await_response(
    protocol: ResponseHandler,
) -> tuple[RawResponseMessage, StreamReader]:
    while True:
        try:
            message, content = await protocol.read()
        except HttpProcessingError as exc:
            raise httpx.RemoteProtocolError("its answer is no HTTP") from exc
        except (aiohttp.ClientError, OSError) as exc:
            raise httpx.ReadError(_reason(exc)) from exc
        # Interim answers (RFC 9110 15.2) are for this connection; the client was told to go on already.
        if message.code == HTTPStatus.SWITCHING_PROTOCOLS:
            raise httpx.RemoteProtocolError("it switched protocols, which nobody asked for")
        if message.code >= HTTPStatus.OK:
            return message, content


class _ResponseStream(httpx.AsyncByteStream):
    """The body, each piece as it was read; ends by ``httpx.ReadError`` unless it is whole."""

    def __init__(
        self,
        connection: Connection,
        protocol: ResponseHandler,
        content: StreamReader,
        upload: "asyncio.Task[None] | None",
    ) -> None:
        self._connection = connection
        self._protocol = protocol
        self._content = content
        self._upload = upload
        self._closed = protocol.closed
        if self._closed is None:
            self._on_closed()
        else:
            self._closed.add_done_callback(self._on_closed)

    def _on_closed(self, closed: "asyncio.Future[None] | None" = None) -> None:
        """End the body with its connection; aiohttp leaves one whose framing broke waiting for ever."""
        if closed is not None:
            _take_note(closed)
        if not self._content.is_eof() and self._content.exception() is None:
            self._content.set_exception(aiohttp.ClientPayloadError("closed"))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._content.readany()
        except (aiohttp.ClientError, OSError, HttpProcessingError) as exc:
            # What had arrived before the break is handed out first, and the break told after it.
            piece = self._content._read_nowait(-1)  # noqa: SLF001 - readany forgets it
            if not piece:
                raise httpx.ReadError(_reason(exc)) from exc
        if not piece:
            if isinstance(self._protocol.exception(), aiohttp.ClientOSError):
                # Without a length or chunks the parser takes a reset for the end.
                raise httpx.ReadError("connection reset")
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Give the connection back if the exchange is over, else close it."""
        if self._closed is not None:
            self._closed.remove_done_callback(self._on_closed)
            self._closed.remove_done_callback(_take_note)  # one for all exchanges of a connection
            self._closed.add_done_callback(_take_note)
        unsent = self._upload is not None and not self._upload.done()
        if self._upload is not None:
            self._upload.cancel()
        if unsent or not self._content.at_eof():
            self._connection.close()
        else:
            self._connection.release()


# aiohttp's own texts hold URLs.
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "the host name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "its certificate is not trusted"),
    (aiohttp.ServerDisconnectedError, "the connection was closed"),
    (aiohttp.ClientPayloadError, "the connection was closed"),
)


def _reason(exc: Exception) -> str:
    """Name a failure in words for the client, without any URL."""
    if isinstance(exc, aiohttp.ClientHttpProxyError):
        return f"its proxy answered {exc.status}"
    if isinstance(exc.__cause__, AddressRefusedError):
        return "its address must not be reached"
    for kind, text in _REASONS:
        if isinstance(exc, kind):
            return text
    whose = "its proxy: " if isinstance(exc, aiohttp.ClientProxyConnectionError) else ""
    errno = exc.errno if isinstance(exc, OSError) else None
    return whose + (os.strerror(errno) if errno else type(exc).__name__)
