"""Where a call goes: ``/{provider}/{upstream}/{path}`` to a host that is allowed, and whether it is logged.

Works on the request target as it stood on the wire; nothing is decoded, so ``%2F`` stays ``%2F``.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus

from proxy.wire.access.call_kind import Kind, kind_of
from proxy.wire.access.hosts import BUILT_IN

_PATTERNS = {
    segment: re.compile("|".join(re.escape(host).replace(r"\*", "[a-z0-9-]+") for host in hosts))
    for segment, hosts in BUILT_IN.items()
}
# Every value of the label ``provider``: the segments, and where OAuth calls of one of them go.
PROVIDERS = (*BUILT_IN, "chatgpt")
_AWS_PATH = b"/model/"
_OPENAI_HOST = "api.openai.com"
_CHATGPT_HOST = "chatgpt.com"
_CHATGPT_PREFIX = b"/backend-api/codex"

# RFC 1035 labels, with the underscore that container networks allow; or an IPv6 literal in brackets.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]"
_NETLOC = re.compile(rf"(?P<host>{_HOST})(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_ENTRY = re.compile(
    rf"(?:(?P<scheme>https?)://)?(?P<wild>\*\.)?(?P<host>{_HOST})(?::(?P<port>[1-9][0-9]{{0,4}}))?/?"
)
# Where clouds serve credentials beside link-local addresses, by their documentation of instance metadata, and
# networks that lead to IPv4 addresses which cannot be told here.
_FORBIDDEN = tuple(
    map(
        ipaddress.ip_network,
        (
            "fd00:ec2::254",  # Amazon's, over IPv6
            "fd00:ec2::23",  # its Pod Identity agent
            "fd20:ce::254",  # Google's, over IPv6
            "100.100.100.200",  # Alibaba's
            "168.63.129.16",  # Azure's
            "192.0.0.192",  # Oracle's
            "64:ff9b:1::/48",  # NAT64 of the local network (RFC 8215)
            "2001::/32",  # Teredo (RFC 4380)
        ),
    )
)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052
_IPV4_COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291 2.5.5.1
_LAST_SPECIAL = 0xFFFF  # :: and ::1, which are no IPv4 addresses
_LONGEST_HOST = 253  # RFC 1035 2.3.4, as text
_LAST_PORT = 65535
_DEFAULT_PORT = {"http": 80, "https": 443}
# Verdicts that are remembered: reading an address costs as much as all else here, and few hosts are called.
_ROUTES = 256

# What clients call that put no /v1 before it: opencode, Vercel's AI SDK.
_BARE_MESSAGES = re.compile(rb"/messages(?:/|$)")
_VERSION = re.compile(rb"/v1(?=[/?]|$)")
# Three base64url parts: an OAuth token, where an API key has none or begins with sk-.
_JWT = re.compile(rb"bearer +(?!sk-)[^.\s]+\.[^.\s]+\.[^.\s]+ *", re.IGNORECASE)

RawHeaders = Sequence[tuple[bytes, bytes]]


class RefusedError(Exception):
    """A call that is not forwarded; ``status`` and the text are the answer to the client."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Upstream:
    """One entry of ``upstreams``: ``port`` 0 is any, ``wild`` matches every name below ``host``."""

    host: str
    port: int = 0
    scheme: str = ""
    wild: bool = False

    def matches(self, host: str, port: int) -> bool:
        """Tell whether the entry allows this host and port."""
        named = host.endswith("." + self.host) if self.wild else host == self.host
        return named and self.port in {0, port}


@dataclass(frozen=True, slots=True)
class Route:
    """Where one call goes. ``target`` is the request target for the upstream, byte for byte."""

    provider: str
    upstream: str
    scheme: str
    target: bytes
    kind: Kind

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> str:
        """The raw query, without its question mark."""
        return self.target.partition(b"?")[2].decode("latin-1")


def parse_upstreams(entries: Sequence[str]) -> tuple[Upstream, ...]:
    """Read ``host``, ``host:port``, ``http://host:port`` and ``*.suffix``. Raises ``ValueError``."""
    return tuple(map(_parse_upstream, entries))


def _parse_upstream(entry: str) -> Upstream:
    match = _ENTRY.fullmatch(entry.lower())
    if match is None or int(match["port"] or 0) > _LAST_PORT:
        raise ValueError(f"{entry!r} is none of host, host:port, http://host:port, *.suffix")
    if is_off_limits(match["host"]):
        raise ValueError(f"{entry!r} is an address of cloud metadata, or none to connect to")
    port = int(match["port"] or 0)
    if match["scheme"] and not port:
        port = _DEFAULT_PORT[match["scheme"]]
    return Upstream(match["host"], port, match["scheme"] or "", bool(match["wild"]))


def resolve(
    method: str,
    target: bytes,
    headers: RawHeaders,
    upstreams: tuple[Upstream, ...],
    bedrock: str = "",
) -> Route:
    """Return the route of a request target. Raises ``RefusedError``: 400 for no route, 403 for a host.

    ``bedrock`` is the host that paths of AWS's own, ``/model/...``, go to; empty for none.
    """
    if bedrock and target.startswith(_AWS_PATH):
        target = f"/bedrock/{bedrock}".encode() + target
    path, mark, query = target.partition(b"?")
    segment, upstream, rest = _split(path)
    scheme = _allow(segment, upstream, upstreams)
    provider = segment
    if segment == "openai":
        provider, upstream, rest = _openai(upstream, rest, headers)
    elif segment == "anthropic" and _BARE_MESSAGES.match(rest):
        rest = b"/v1" + rest
    kind = kind_of(method, rest.decode("latin-1"))
    return Route(provider, upstream, scheme, rest + mark + query, kind)


def _split(path: bytes) -> tuple[str, str, bytes]:
    parts = [*path.split(b"/", 3), b""][:4]
    if len(parts) != 4 or parts[0]:  # noqa: PLR2004 - "", provider, upstream, path
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, "invalid proxy path: expected /{provider}/{upstream}/{path}"
        )
    segment, upstream = parts[1].decode("latin-1"), parts[2].decode("latin-1").lower()
    if segment == "model":
        raise RefusedError(HTTPStatus.BAD_REQUEST, "calls to /model/... need the key bedrock.region")
    if segment not in BUILT_IN:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"unknown provider: must be one of {', '.join(BUILT_IN)}")
    return segment, upstream, b"/" + parts[3]


@lru_cache(maxsize=_ROUTES)
def _allow(segment: str, upstream: str, upstreams: tuple[Upstream, ...]) -> str:
    """Return the scheme to reach an allowed host by."""
    match = _NETLOC.fullmatch(upstream)
    port = int(match["port"] or 0) if match else 0
    if match is None or len(upstream) > _LONGEST_HOST or port > _LAST_PORT:
        raise RefusedError(HTTPStatus.BAD_REQUEST, "invalid upstream: not a host name")
    host = match["host"]
    if is_off_limits(host):
        raise RefusedError(
            HTTPStatus.FORBIDDEN, "upstream not allowed: an address of cloud metadata, or none to connect to"
        )
    if _PATTERNS[segment].fullmatch(host) and port in {0, _DEFAULT_PORT["https"]}:
        return "https"
    default = "http" if is_loopback(host) else "https"
    for entry in upstreams:
        scheme = entry.scheme or default
        if entry.matches(host, port or _DEFAULT_PORT[scheme]):
            return scheme
    raise RefusedError(
        HTTPStatus.FORBIDDEN, "upstream not allowed: neither a built-in host nor listed in upstreams"
    )


def _openai(upstream: str, rest: bytes, headers: RawHeaders) -> tuple[str, str, bytes]:
    """Send OAuth calls to ChatGPT, and give either destination the ``/v1`` that it wants, or none."""
    if upstream == _CHATGPT_HOST:
        return "chatgpt", upstream, rest
    if upstream != _OPENAI_HOST:
        return "openai", upstream, rest
    if _is_chatgpt(headers):
        bare = (
            rest if rest.startswith(_CHATGPT_PREFIX) else _CHATGPT_PREFIX + _VERSION.sub(b"", rest, count=1)
        )
        return "chatgpt", _CHATGPT_HOST, bare
    if rest != b"/" and not _VERSION.match(rest):
        rest = b"/v1" + rest
    return "openai", upstream, rest


def _is_chatgpt(headers: RawHeaders) -> bool:
    for name, value in headers:
        lower = name.lower()
        if lower == b"chatgpt-account-id" or (lower == b"authorization" and _JWT.fullmatch(value)):
            return True
    return False


@lru_cache(maxsize=_ROUTES)
def is_loopback(host: str) -> bool:
    """Tell whether a host name or literal means this machine."""
    address = _address(host)
    return address.is_loopback if address else host == "localhost" or host.endswith(".localhost")


def is_off_limits(host: str) -> bool:
    """Tell whether a literal address is one where clouds serve credentials, or none to connect to.

    Link-local ones (169.254.0.0/16, fe80::/10), also as IPv4 within IPv6 or as one number, and the few
    others that clouds chose.
    """
    if host.isdigit() or host.startswith("0x"):
        return True  # inet_aton spellings, which no provider uses
    address = _address(host)
    if address is None:
        return False
    special = address.is_link_local or address.is_unspecified or address.is_multicast
    return special or any(address in each for each in _FORBIDDEN)


def _ipv4_within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > _LAST_SPECIAL):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def may_be_here(host: str, upstreams: tuple[Upstream, ...]) -> bool:
    """Tell whether a name may lead to this machine: not one that only a ``*.suffix`` allows."""
    matching = [each for each in upstreams if each.matches(host, each.port)]
    return is_loopback(host) or not matching or not all(each.wild for each in matching)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    return (_ipv4_within(address) if isinstance(address, ipaddress.IPv6Address) else None) or address
