"""Header lists on their way through: hop-by-hop headers out, Host set, all else as it came."""

from proxy.wire.admission import OWN_HEADERS
from proxy.wire.message.head import HeaderList
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

_UPGRADE = frozenset({b"connection", b"upgrade"})


def for_upstream(headers: RawHeaders, host: str, *, upgrade: bool = False) -> HeaderList:
    """Return a request's headers for the upstream, in their order and spelling.

    A body that came in chunks of its own goes on in chunks, in the same transfer codings. ``upgrade`` keeps
    the offer of another protocol.
    """
    dropped = _dropped(headers, upgrade=upgrade)
    kept: HeaderList = []
    for name, value in headers:
        lower = name.lower()
        if lower == b"host":
            kept.append((name, host.encode()))
        elif lower == b"transfer-encoding" or (lower not in dropped and lower not in OWN_HEADERS):
            kept.append((name, value))
    return kept


def for_client(headers: RawHeaders, *, upgrade: bool = False) -> HeaderList:
    """Return a response's headers for the client, in their order and spelling.

    ``upgrade`` keeps the switch to another protocol.
    """
    dropped = _dropped(headers, upgrade=upgrade)
    return [header for header in headers if header[0].lower() not in dropped]


def first(headers: RawHeaders, wanted: bytes) -> bytes:
    """Return the first value of a header, by its lower-case name; empty when there is none."""
    for name, value in headers:
        if name.lower() == wanted:
            return value
    return b""


# What ``Connection`` cannot make hop-by-hop, as it frames or addresses the message.
_NEVER_NAMED = frozenset({b"host", b"content-length", b"content-type", b"content-encoding"})


def _dropped(headers: RawHeaders, *, upgrade: bool) -> frozenset[bytes]:
    """Return the hop-by-hop names: the known ones, and those that ``Connection`` lists."""
    lists = [value for name, value in headers if name.lower() == b"connection"]
    if upgrade:
        return _HOP_BY_HOP - _UPGRADE
    if not lists:
        return _HOP_BY_HOP
    named = {token.strip().lower() for value in lists for token in value.split(b",")}
    return _HOP_BY_HOP | (named - _NEVER_NAMED)
