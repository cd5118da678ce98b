"""Which requests to Amazon Bedrock are signed, and what a signature covers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# Bedrock takes 25 MB a request; a body is held whole, as its hash is part of the signature.
LARGEST_SIGNED_BODY = 32 << 20
# What the client's own signature consists of, which would be for the proxy's address.
REPLACED = frozenset({b"authorization", b"x-amz-date", b"x-amz-security-token", b"x-amz-content-sha256"})
_HOST = re.compile(r"bedrock-(?P<service>runtime|runtime-fips|mantle)\.(?P<region>[a-z0-9-]+)\.")
# Bedrock's API keys, long-term and short-term, are credentials of the client's own.
_API_KEY = re.compile(rb"bearer +(?:ABSK|bedrock-api-key-)", re.IGNORECASE)

HeaderList = list[tuple[bytes, bytes]]


class SigningError(Exception):
    """No signature could be made; the text says why, without a secret."""


@dataclass(frozen=True, slots=True)
class Signable:
    """A request as it leaves: ``target`` as on the wire, ``headers`` with its ``Host``."""

    method: str
    scheme: str
    host: str
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]


class Signer(Protocol):
    """Signs requests to Bedrock."""

    @property
    def host(self) -> str:
        """Where calls without a host go, with the port where there is one."""
        ...

    async def sign(self, request: Signable, body: bytes) -> HeaderList:
        """Return the request's headers with its signature. Raises ``SigningError``."""
        ...

    def forget(self) -> None:
        """Look for credentials anew at the next call, as AWS refused those that are known as expired."""
        ...


def needs_signature(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Tell whether a call comes without an API key of the client's own."""
    return not any(name.lower() == b"authorization" and _API_KEY.match(value) for name, value in headers)


def scope_of(host: str, region: str) -> tuple[str, str]:
    """Return service and region of a signature; a host that names no region is of ``region``."""
    match = _HOST.match(host)
    if match is None:
        return "bedrock", region
    return "bedrock-mantle" if match["service"] == "mantle" else "bedrock", match["region"]


def signed_fields(request: Signable) -> dict[str, str]:
    """Return the headers that a signature covers: the host, the content type and AWS's own."""
    fields = {"host": request.host}
    for name, value in request.headers:
        lower = name.lower()
        if lower == b"content-type" or (lower.startswith(b"x-amz") and lower not in REPLACED):
            key = lower.decode("latin-1")
            fields[key] = ",".join(filter(None, [fields.get(key), value.decode("latin-1")]))
    return fields
