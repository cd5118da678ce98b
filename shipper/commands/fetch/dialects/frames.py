"""Amazon's event streams: the JSON of their messages, as Bedrock sends it."""

import base64
import binascii
import struct
from collections.abc import Iterator

from shipper.commands.fetch.document import Json, parse_object, text_in

_PRELUDE = struct.Struct(">III")  # the sizes of the message and of its headers, and a checksum
_CHECKSUM = 4
_TEXT = 7


def frame_events(data: bytes) -> Iterator[Json]:
    """Yield each whole message as an event named as the provider names it; stop at what is none."""
    at = 0
    while at + _PRELUDE.size <= len(data):
        size, headers, _ = _PRELUDE.unpack_from(data, at)
        start = at + _PRELUDE.size + headers
        end = at + size - _CHECKSUM
        if end < start or at + size > len(data):
            return
        event = _event(_headers(data[at + _PRELUDE.size : start]), parse_object(data[start:end]) or {})
        if event is not None:
            yield event
        at += size


def _event(headers: dict[str, str], payload: Json) -> Json | None:
    if failed := headers.get(":exception-type") or headers.get(":error-code"):
        message = text_in(payload, "message") or headers.get(":error-message", "")
        return {"type": "error", "error": {"type": failed, "message": message}}
    if "bytes" in payload:
        try:
            return parse_object(base64.b64decode(text_in(payload, "bytes")))
        except (binascii.Error, ValueError):
            return None
    return {headers.get(":event-type", ""): payload}


def _headers(data: bytes) -> dict[str, str]:
    """Return the headers up to the first that is no text; Bedrock's all are."""
    headers = {}
    at = 0
    while at < len(data):
        named = at + 1 + data[at]
        size = int.from_bytes(data[named + 1 : named + 3], "big")
        if data[named : named + 1] != bytes([_TEXT]):
            break
        value = data[named + 3 : named + 3 + size]
        headers[data[at + 1 : named].decode("latin-1")] = value.decode("utf-8", "replace")
        at = named + 3 + size
    return headers
