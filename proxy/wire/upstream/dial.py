"""Opening a connection to an origin: by address, through TLS, and by way of a proxy of the environment."""

import asyncio
import base64
import socket
import ssl
from typing import cast

import aiohappyeyeballs
from python_socks import ProxyConnectionError, ProxyError, ProxyType
from python_socks.async_ import asyncio as through
from python_socks.async_.asyncio import v2 as through_tls

from groundwork.settings.proxies import Proxies, Proxy
from proxy.wire.message.tcp import OF_UPSTREAMS, keep_alive
from proxy.wire.upstream.connection import UpstreamConnection
from proxy.wire.upstream.failure import ConnectError, reason_of
from proxy.wire.upstream.request import Origin
from proxy.wire.upstream.resolver import AddressInfo, AddressRefusedError, GuardedResolver

# A host that does not answer the connection attempt, its TLS or its proxy by then does not answer.
CONNECT_SECONDS = 10.0
# RFC 8305 5: how long IPv6 may take before IPv4 is tried beside it.
_HAPPY_EYEBALLS_SECONDS = 0.25
_TYPES = {
    "http": ProxyType.HTTP,
    "https": ProxyType.HTTP,
    "socks4": ProxyType.SOCKS4,
    "socks4a": ProxyType.SOCKS4,
    "socks5": ProxyType.SOCKS5,
    "socks5h": ProxyType.SOCKS5,
}
# Proxies of these kinds are given an address that was resolved, and looked at, here.
_GIVEN_AN_ADDRESS = frozenset({"socks4", "socks5"})


class Dialer:
    """Opens connections. One for the life of the process, as trusted certificates are read once."""

    def __init__(self, resolver: GuardedResolver, proxies: Proxies) -> None:
        self._resolver = resolver
        self._proxies = proxies
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def open(self, origin: Origin) -> UpstreamConnection:
        """Return a new connection. Raises ``ConnectError``."""
        proxy = self._proxies.proxy_for(origin.scheme, origin.address, origin.port)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await (self._direct(origin) if proxy is None else self._through(origin, proxy))
        except TimeoutError as exc:
            raise ConnectError(f"no connection within {CONNECT_SECONDS:g} s") from exc
        except AddressRefusedError as exc:
            raise ConnectError("its address must not be reached") from exc
        except ssl.SSLCertVerificationError as exc:
            raise ConnectError("its certificate is not trusted") from exc
        except ssl.SSLError as exc:
            raise ConnectError(f"no TLS with it: {exc.reason or 'the connection was closed'}") from exc
        except socket.gaierror as exc:
            raise ConnectError("the host name cannot be resolved") from exc
        except (OSError, ExceptionGroup) as exc:
            raise ConnectError(_reason_of_all(exc)) from exc

    async def _direct(self, origin: Origin) -> UpstreamConnection:
        found = await self._resolver.resolve(origin.address, origin.port)
        return await self._over(await _connect(found), origin)

    async def _over(self, opened: socket.socket, origin: Origin) -> UpstreamConnection:
        """Begin a connection on a socket; with TLS, where the origin has it."""
        keep_alive(opened, OF_UPSTREAMS)
        tls = self._tls if origin.scheme == "https" else None
        name = origin.address if tls else None
        loop = asyncio.get_running_loop()
        try:
            _, connection = await loop.create_connection(
                UpstreamConnection, sock=opened, ssl=tls, server_hostname=name
            )
        except BaseException:
            opened.close()
            raise
        return connection

    async def _through(self, origin: Origin, proxy: Proxy) -> UpstreamConnection:
        try:
            if proxy.scheme in {"http", "https"} and origin.scheme == "http":
                return await self._forwarded(proxy)
            if proxy.scheme == "https":
                return await self._tunnel_in_tls(origin, proxy)
            host = origin.address
            if proxy.scheme in _GIVEN_AN_ADDRESS:
                host = (await self._resolver.resolve(origin.address, origin.port))[0][4][0]
            way = through.Proxy(
                _TYPES[proxy.scheme],
                proxy.host,
                proxy.port,
                proxy.user or None,
                proxy.password or None,
                rdns=True,
            )
            return await self._over(await way.connect(host, origin.port), origin)
        except ProxyConnectionError as exc:
            raise ConnectError(f"its proxy: {reason_of(exc)}") from exc
        except ProxyError as exc:
            code = f"answered {exc.error_code}" if exc.error_code else "refused"
            raise ConnectError(f"its proxy {code}") from exc

    async def _forwarded(self, proxy: Proxy) -> UpstreamConnection:
        """Connect to an HTTP proxy that passes plain requests on (RFC 9112 3.2.2)."""
        there = Origin(proxy.scheme, proxy.host, proxy.port)
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
            connection = await self._over(await _connect(cast("list[AddressInfo]", found)), there)
        except (OSError, ExceptionGroup) as exc:
            raise ConnectError(f"its proxy: {_reason_of_all(exc)}") from exc
        connection.via_proxy = login_of(proxy)
        return connection

    async def _tunnel_in_tls(self, origin: Origin, proxy: Proxy) -> UpstreamConnection:
        """Go through a proxy that is itself spoken to over TLS."""
        way = through_tls.Proxy(
            ProxyType.HTTP,
            proxy.host,
            proxy.port,
            proxy.user or None,
            proxy.password or None,
            rdns=True,
            proxy_ssl=ssl.create_default_context(),
        )
        stream = await way.connect(origin.address, origin.port)
        outer = cast("asyncio.Transport", stream.writer.transport)
        keep_alive(outer.get_extra_info("socket"), OF_UPSTREAMS)
        connection = UpstreamConnection()
        loop = asyncio.get_running_loop()
        inner = await loop.start_tls(outer, connection, self._tls, server_hostname=origin.address)
        if inner is None:
            raise ConnectError("its proxy closed the connection")
        connection.connection_made(inner)
        return connection


async def _connect(found: list[AddressInfo]) -> socket.socket:
    return await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_HAPPY_EYEBALLS_SECONDS)


def login_of(proxy: Proxy) -> bytes:
    """Return the header line that a proxy's login takes (RFC 7617); empty without one."""
    if not proxy.user:
        return b""
    login = base64.b64encode(f"{proxy.user}:{proxy.password}".encode())
    return b"Proxy-Authorization: Basic %b\r\n" % login


def _reason_of_all(exc: BaseException) -> str:
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[-1]
    return reason_of(exc)
