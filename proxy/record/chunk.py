"""One chunk of a stream, or one message of a WebSocket, as a record has it, and how times are written."""

from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import orjson

_NS = 10**9

Direction = Literal["client", "server"]
"""Who sent a message of a WebSocket."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Bytes as they arrived and when (monotonic ns), and their size together.

    ``directions`` tells who sent each, where they are messages of a WebSocket; else it is empty.
    """

    data: list[bytes]
    times: list[int]
    size: int
    directions: list[Direction] = field(default_factory=list)


def encode_chunk(ts: int, delta_ms: int, raw: str | bytes, direction: Direction | None = None) -> bytes:
    """Return one chunk of a stream as JSON; bytes are no text, and say so.

    ``ts`` is nanoseconds since the epoch, ``delta_ms`` counts from the request's start. ``direction`` tells
    who sent a message of a WebSocket.
    """
    if direction is not None:
        chunk: dict[str, Any] = {"ts": format_time(ts), "delta_ms": delta_ms, "direction": direction}
        if isinstance(raw, bytes):
            return orjson.dumps({**chunk, "body_encoding": "base64", "raw": b64encode(raw).decode()})
        return orjson.dumps({**chunk, "raw": raw})
    second, ns = divmod(ts, _NS)
    if isinstance(raw, str):
        return b'{"ts":"%b.%09dZ","delta_ms":%d,"raw":%b}' % (
            _second(second),
            ns,
            delta_ms,
            orjson.dumps(raw),
        )
    return b'{"ts":"%b.%09dZ","delta_ms":%d,"body_encoding":"base64","raw":"%b"}' % (
        _second(second),
        ns,
        delta_ms,
        b64encode(raw),
    )


def format_time(ts: int) -> str:
    """Return RFC 3339 in UTC with nine digits of the second."""
    second, ns = divmod(ts, _NS)
    return f"{_second(second).decode()}.{ns:09d}Z"


@lru_cache(maxsize=8)  # the seconds of what is being written right now
def _second(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
