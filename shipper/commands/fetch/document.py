"""JSON that comes from outside: any field may be absent or of any kind."""

import base64
import binascii
import json
from typing import Any

import orjson

Json = dict[str, Any]


def parse(text: bytes | str) -> Any:
    """Return a JSON value, also with what other languages write: lone surrogates, ``NaN``; None for none."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(text if isinstance(text, str) else text.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def parse_object(text: bytes | str) -> Json | None:
    """Return a JSON object, or None for anything else."""
    document = parse(text)
    return document if isinstance(document, dict) else None


def text_in(holder: Json, name: str) -> str:
    """Return a text, empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def number_in(holder: Json, name: str) -> int:
    """Return a whole number, 0 where there is none."""
    value = holder.get(name)
    return value if isinstance(value, int) else 0


def object_in(holder: Json, name: str) -> Json:
    """Return an object, empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def objects_in(holder: Json, name: str) -> list[Json]:
    """Return the objects of a list, none where there is no list."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def body_of(record: Json) -> str | bytes:
    """Return a body as text, or as the bytes that it is."""
    chunks = objects_in(record, "chunks")
    if chunks and not any("body_encoding" in each for each in chunks):
        return "".join([text_in(each, "raw") for each in chunks])
    if chunks:
        data = b"".join(map(_chunk, chunks))
        # The size that begins a message of Amazon's event streams is below 16 MiB; no text begins so.
        return data if data[:1] == b"\0" else as_text(data)
    return _bytes(record, "body") if "body_encoding" in record else text_in(record, "body")


def _chunk(chunk: Json) -> bytes:
    return (
        _bytes(chunk, "raw") if "body_encoding" in chunk else text_in(chunk, "raw").encode("utf-8", "replace")
    )


def _bytes(holder: Json, name: str) -> bytes:
    try:
        return base64.b64decode(text_in(holder, name))
    except (binascii.Error, ValueError):
        return b""


def as_text(body: str | bytes) -> str:
    """Return a body as text, what is no UTF-8 replaced."""
    return body.decode("utf-8", "replace") if isinstance(body, bytes) else body
