"""What the tests of bodies share: spools in memory, and a record's body read back."""

import base64
from collections.abc import Iterator
from typing import Any

import orjson

from proxy.record.chunk import Pieces
from proxy.record.record import Bulk, Omitted


class MemorySpool:
    """A spool that shows whether it was closed."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = False

    def write(self, data: bytes) -> None:
        self.data += data

    def read(self) -> Iterator[bytes]:
        for at in range(0, len(self.data), 7):
            yield self.data[at : at + 7]

    def close(self) -> None:
        self.closed = True


class FullSpool(MemorySpool):
    """A spool on a disk without room."""

    def write(self, data: bytes) -> None:  # noqa: ARG002 - nothing is kept
        raise OSError(28, "No space left on device")


def pieces(*data: bytes) -> Pieces:
    """Return pieces that arrived a millisecond after one another."""
    return Pieces(list(data), [1_000_000 * (at + 1) for at in range(len(data))], sum(map(len, data)))


def read_back(body: Bulk | Omitted) -> Any:
    """Return what a record's body decodes to: text or bytes of a body, the list of chunks."""
    assert isinstance(body, Bulk)
    value = orjson.loads(b"".join(body.encoded))
    return base64.b64decode(value) if body.base64 else value


def joined(chunks: list[dict[str, Any]]) -> bytes:
    """Return the bytes of a stream's chunks."""
    return b"".join(
        base64.b64decode(each["raw"]) if "body_encoding" in each else each["raw"].encode() for each in chunks
    )
