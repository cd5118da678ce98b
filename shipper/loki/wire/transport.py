"""The way of a request to Loki: by way of the environment's proxy, and in bounded time.

The timeout of a request is its deadline: httpx would allow it anew for each address, write and read, so that
an answer that drips would never end.
"""
# ruff: noqa: ARG002 - httpcore gives these parameters; the deadline stands above each timeout

import math
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore
import httpx
import python_socks
from httpcore._backends.sync import SyncStream
from python_socks.sync import Proxy as Through

from groundwork.settings.proxies import Proxy, proxies_of
from shipper.loki.wire.trust import Trust, TrustError

# A kept connection would stay with an old address after DNS has moved on.
_LONGEST_CONNECTION_SECONDS = 300.0
# So that a peer that takes a body by single bytes cannot stretch one write.
_WRITE_BYTES = 64 * 1024
_HTTP = {"http", "https"}
_SOCKS = {
    "socks4": python_socks.ProxyType.SOCKS4,
    "socks4a": python_socks.ProxyType.SOCKS4,
    "socks5": python_socks.ProxyType.SOCKS5,
    "socks5h": python_socks.ProxyType.SOCKS5,
}
# Proxies of these kinds resolve names themselves.
_RESOLVING = {"socks4a", "socks5h"}
_PORTS = {"http": 80, "https": 443}
# What stands before the reason of a proxy's failure, and the advice looks for.
PROXY_WORDS = "proxy "


class _Deadline(threading.local):
    """When the request of this thread has to be over, on the monotonic clock."""

    at = math.inf

    def left(self) -> float | None:
        """Return the seconds that are left, at least a moment; None where there is no deadline."""
        return None if self.at == math.inf else max(0.001, self.at - time.monotonic())

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.at


_deadline = _Deadline()


def proxy_to(url: httpx.URL) -> Proxy | None:
    """Return the proxy that the environment names for an address. Raises ``ProxyVariableError``."""
    return proxies_of(os.environ).proxy_for(url.scheme, url.host, url.port or _PORTS[url.scheme])


class Transport(httpx.HTTPTransport):
    """Sends requests through ``proxy`` or directly; the read timeout of a request is its deadline."""

    def __init__(self, proxy: Proxy | None, trust: Trust) -> None:
        self._proxy = proxy
        forward = None
        if proxy is not None and proxy.scheme in _HTTP:
            login = (proxy.user, proxy.password) if proxy.user else None
            # Contexts come from the backend: this one keeps httpx from loading one for each transport.
            tls = _no_context() if proxy.scheme == "https" else None
            forward = httpx.Proxy(proxy.url, auth=login, ssl_context=tls)
        super().__init__(verify=_no_context(), trust_env=False, proxy=forward)
        # httpx has no parameter for the backend of its pool.
        self._pool._network_backend = _Backend(proxy, trust)  # noqa: SLF001

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        seconds = request.extensions.get("timeout", {}).get("read")
        _deadline.at = math.inf if seconds is None else time.monotonic() + seconds
        try:
            response = super().handle_request(request)
        except httpx.ProxyError as exc:
            if self._proxy is None:
                raise
            raise httpx.ProxyError(f"{PROXY_WORDS}{self._proxy.url}: {exc}", request=request) from exc
        if self._proxy is not None and self._proxy.scheme in _HTTP and request.url.scheme == "http":
            response.extensions["proxy"] = self._proxy.url
        return response


def _no_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Backend(httpcore.SyncBackend):
    """Opens connections for httpcore's pool."""

    def __init__(self, proxy: Proxy | None, trust: Trust) -> None:
        self._proxy = proxy
        self._trust = trust

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to an address of a host, or through a SOCKS proxy; with a proxy for HTTP it is the host."""
        if self._proxy is None:
            return _Stream(_reach(host, port), self._trust)
        if self._proxy.scheme not in _HTTP:
            return _Stream(_through(self._proxy, host, port), self._trust)
        try:
            return _Stream(_reach(host, port), self._trust)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
            raise httpcore.ProxyError(str(exc)) from exc


def _reach(host: str, port: int) -> SyncStream:
    """Connect to the first address that answers; each has its share of the time that is left."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, OverflowError) as exc:
        raise httpcore.ConnectError(str(exc)) from exc
    failure: OSError = OSError("no address")
    for place, (family, kind, protocol, _, address) in enumerate(addresses):
        if place and _deadline.is_over:
            break
        opened = None
        try:
            opened = socket.socket(family, kind, protocol)
            left = _deadline.left()
            opened.settimeout(None if left is None else left / (len(addresses) - place))
            opened.connect(address)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as exc:
            failure = exc
            if opened is not None:
                opened.close()
        else:
            return SyncStream(opened)
    if isinstance(failure, TimeoutError):
        raise httpcore.ConnectTimeout(str(failure)) from failure
    raise httpcore.ConnectError(str(failure)) from failure


def _through(proxy: Proxy, host: str, port: int) -> SyncStream:
    way = Through(
        _SOCKS[proxy.scheme],
        proxy.host,
        proxy.port,
        proxy.user or None,
        proxy.password or None,
        rdns=proxy.scheme in _RESOLVING,
    )
    try:
        return SyncStream(way.connect(host, port, timeout=_deadline.left()))
    except (python_socks.ProxyError, python_socks.ProxyConnectionError) as exc:
        reason = os.strerror(exc.errno) if isinstance(exc, OSError) and exc.errno else str(exc)
        raise httpcore.ProxyError(reason) from exc
    except (python_socks.ProxyTimeoutError, TimeoutError) as exc:
        raise httpcore.ProxyError("timed out") from exc
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(str(exc)) from exc


class _Stream(httpcore.NetworkStream):
    """A connection that keeps to the deadline of its thread's request, and is given up when it is old."""

    def __init__(self, inner: httpcore.NetworkStream, trust: Trust, began: float | None = None) -> None:
        self._inner = inner
        self._trust = trust
        self._began = time.monotonic() if began is None else began

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what there is."""
        if _deadline.is_over:
            raise httpcore.ReadTimeout("timed out")
        return self._inner.read(max_bytes, _deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        for start in range(0, len(buffer), _WRITE_BYTES):
            if _deadline.is_over:
                raise httpcore.WriteTimeout("timed out")
            self._inner.write(buffer[start : start + _WRITE_BYTES], _deadline.left())

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Begin TLS with the certificates that are valid now; a failed handshake has them read again."""
        try:
            context = self._trust.context()
        except TrustError as exc:
            self.close()
            raise httpcore.ConnectError(str(exc)) from exc
        try:
            inner = self._inner.start_tls(context, server_hostname, _deadline.left())
        except httpcore.ConnectError:
            self._trust.forget()
            raise
        return _Stream(inner, self._trust, self._began)

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks; an old connection counts as closed, so that a new one is opened."""
        if info == "is_readable" and time.monotonic() - self._began > _LONGEST_CONNECTION_SECONDS:
            return True
        with suppress(OSError):
            return self._inner.get_extra_info(info)
        return None
