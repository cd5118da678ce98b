"""Messages of Amazon's event stream, as Bedrock answers."""

import json
import struct
import zlib
from typing import Any


def frame(payload: Any, **headers: str) -> bytes:
    """Return one message of Amazon's event stream."""
    named = b""
    for name, value in headers.items():
        key = f":{name.replace('_', '-')}".encode()
        named += bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(named) + len(body), len(named))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + named + body
    return message + struct.pack(">I", zlib.crc32(message))


def event_frames(*events: dict[str, Any]) -> bytes:
    """Return events as messages: each is named by its one key."""
    return b"".join(
        frame(payload, message_type="event", event_type=name)
        for each in events
        for name, payload in each.items()
    )
