"""What is sent to an upstream, and where."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from proxy.wire.message.head import HeaderList


class Origin(NamedTuple):
    """Where to connect to; ``host`` is a name or a literal, IPv6 in brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """``host``, with the port where it is not the scheme's own."""
        return self.host if self.port == _DEFAULT_PORT[self.scheme] else f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """The host as the system wants it."""
        return self.host.strip("[]")

    @classmethod
    def of(cls, scheme: str, netloc: str) -> "Origin":
        """Take ``host`` or ``host:port``."""
        host, colon, port = netloc.rpartition(":")
        if not colon or port.endswith("]"):
            return cls(scheme, netloc, _DEFAULT_PORT[scheme])
        return cls(scheme, host, int(port))


_DEFAULT_PORT = {"http": 80, "https": 443}


class BodySource(Protocol):
    """A body that is still on its way. Giving up while ``read`` waits loses nothing."""

    async def read(self) -> bytes:
        """Return the next piece; nothing at the end. Whatever it raises ends the exchange."""
        ...


@dataclass(slots=True)
class Request:
    """One request. ``headers`` frame the body; ``size`` is what they announce, -1 for a body in chunks."""

    origin: Origin
    method: str
    target: bytes
    headers: HeaderList
    body: bytes | BodySource
    size: int
