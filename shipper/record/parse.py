"""JSON as it is met, not only as RFC 8259 would have it."""

import json
from typing import Any

import orjson


def parse_object(data: bytes) -> dict[str, Any] | None:
    """Return a JSON object; None for all else. Raises ``RecursionError`` for what is nested too deep.

    Lone surrogates, which JavaScript and Python write, stay in the texts; bytes that are not UTF-8 become
    U+FFFD; numbers may be of any size.
    """
    read = parse(data)
    return read if isinstance(read, dict) else None


def parse(data: bytes) -> Any:
    """Return a JSON value, None for what is none; else as ``parse_object``."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parse_slowly(data)


def _parse_slowly(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except ValueError:
        return None
