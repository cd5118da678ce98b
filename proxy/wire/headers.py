"""Header lists on their way through: hop-by-hop headers out, Host set, all else as it came."""

from proxy.wire.admission import OWN_HEADERS
from proxy.wire.routing import RawHeaders

# RFC 9110 7.6.1, and what older agents send in its place.
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)

HeaderList = list[tuple[bytes, bytes]]


def for_upstream(headers: RawHeaders, host: str) -> HeaderList:
    """Return a request's headers for the upstream, in their order and spelling.

    A body that came in chunks of its own goes on in chunks: the framing is each connection's own.
    """
    dropped = _named_by_connection(headers)
    kept: HeaderList = []
    for name, value in headers:
        lower = name.lower()
        if lower == b"host":
            kept.append((name, host.encode()))
        elif lower == b"transfer-encoding":
            kept.append((name, b"chunked"))
        elif lower not in _HOP_BY_HOP and lower not in dropped and lower not in OWN_HEADERS:
            kept.append((name, value))
    return kept


def for_client(headers: RawHeaders) -> HeaderList:
    """Return a response's headers for the client, in their order and spelling."""
    dropped = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if (lower := name.lower()) not in _HOP_BY_HOP and lower not in dropped
    ]


def first(headers: RawHeaders, wanted: bytes) -> bytes:
    """Return the first value of a header, by its lower-case name; empty when there is none."""
    for name, value in headers:
        if name.lower() == wanted:
            return value
    return b""


def _named_by_connection(headers: RawHeaders) -> frozenset[bytes]:
    """Names that ``Connection`` makes hop-by-hop; never those that frame or address the message."""
    named = [
        token.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for token in value.split(b",")
    ]
    return frozenset(named) - {b"host", b"content-length", b"content-type", b"content-encoding"}
