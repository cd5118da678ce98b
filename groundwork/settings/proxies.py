"""Proxies that the environment asks for: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl reads them.

A variable in lower case goes before the one in capitals, and an empty one counts as absent.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

# ``socks5`` and ``socks4`` resolve names here, ``socks5h`` and ``socks4a`` at the proxy; desktops write
# ``socks`` for ``socks5``.
_DEFAULT_PORT = {
    "http": 80,
    "https": 443,
    "socks4": 1080,
    "socks4a": 1080,
    "socks5": 1080,
    "socks5h": 1080,
}
_ALIASES = {"socks": "socks5"}
_FORM = "http://, https://, socks4://, socks4a://, socks5:// or socks5h://, [user:password@]host[:port]"
_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:(?P<login>[^/?#]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+(?:%[0-9A-Za-z]+)?\]|[^\s/?#@:\[\]]+)(?::(?P<port>[0-9]{1,5}))?(?:[/?#].*)?"
)
_LAST_PORT = 65535
# An error stays one readable line.
_SHOWN_CHARACTERS = 80

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProxyVariableError(ValueError):
    """A variable of the environment names no proxy; the text is one line without the login."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where to connect to instead. ``host`` has no brackets; ``user`` and ``password`` are decoded."""

    scheme: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        """Leave the login out of tracebacks and logs."""
        return f"Proxy({self.url!r})"

    @property
    def url(self) -> str:
        """The proxy without its login."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Exception:
    """One entry of NO_PROXY. An empty ``name`` and no ``network`` is ``*``; port 0 is any."""

    name: str = ""
    network: _Network | None = None
    port: int = 0

    def covers(self, host: str, port: int) -> bool:
        if self.port and self.port != port:
            return False
        if self.network is not None:
            address = _address(host)
            return address is not None and address in self.network
        return not self.name or host == self.name or host.endswith("." + self.name)


@dataclass(frozen=True, slots=True)
class Proxies:
    """What the environment says. ``by_scheme`` has ``http``, ``https`` and ``all``."""

    by_scheme: Mapping[str, Proxy]
    exceptions: tuple[_Exception, ...]

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        """Return the proxy for a host, by name or literal; None to connect to it directly.

        This machine (``localhost``, 127.0.0.0/8, ::1) is always reached directly.
        """
        proxy = self.by_scheme.get(scheme) or self.by_scheme.get("all")
        name = host.strip("[]").rstrip(".").lower()
        if proxy is None or _is_here(name) or any(each.covers(name, port) for each in self.exceptions):
            return None
        return proxy


def proxies_of(environ: Mapping[str, str]) -> Proxies:
    """Read the variables. Raises ``ProxyVariableError``."""
    by_scheme = {}
    for scheme in ("http", "https", "all"):
        name, value = _find(environ, f"{scheme}_proxy")
        if value:
            by_scheme[scheme] = parse_proxy(value, name)
    _, exceptions = _find(environ, "no_proxy")
    entries = re.split(r"[,\s]+", exceptions.lower())
    return Proxies(by_scheme, tuple(_exception(each) for each in entries if each))


def parse_proxy(value: str, name: str) -> Proxy:
    """Read one proxy; without a scheme it is ``http``. Raises ``ProxyVariableError`` with ``name``."""
    match = _URL.fullmatch(value.strip())
    scheme = (match["scheme"] or "http").lower() if match else ""
    scheme = _ALIASES.get(scheme, scheme)
    port = int(match["port"] or _DEFAULT_PORT.get(scheme, 0)) if match else 0
    if match is None or scheme not in _DEFAULT_PORT or not 0 < port <= _LAST_PORT:
        raise ProxyVariableError(f"{name} = {_shown(value)!r} (environment): expected {_FORM}")
    user, _, password = (match["login"] or "").partition(":")
    return Proxy(scheme, match["host"].strip("[]"), port, unquote(user), unquote(password))


def _find(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    for each in (name, name.upper()):
        if environ.get(each, "").strip():
            return each, environ[each]
    return name, ""


def _shown(value: str) -> str:
    """Return a value without its login, and short."""
    scheme, mark, rest = value.partition("://") if "://" in value else ("", "", value)
    return (scheme + mark + rest.rpartition("@")[2])[:_SHOWN_CHARACTERS]


def _exception(entry: str) -> _Exception:
    if entry == "*":
        return _Exception()
    name, port = _without_port(entry)
    bare = name.strip("[]")
    try:
        return _Exception(network=ipaddress.ip_network(bare, strict=False), port=port)
    except ValueError:
        return _Exception(bare.removeprefix("*").lstrip(".").rstrip("."), port=port)


def _without_port(entry: str) -> tuple[str, int]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.endswith("]")):
        return name, int(port)
    return entry, 0


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


def _is_here(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")
