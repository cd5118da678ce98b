"""What the head of a long line shows of it, without reading all of it: long texts by their beginning only."""

import re
from typing import Any

import msgspec

from shipper.record.content import Content
from shipper.record.ends import record_of
from shipper.record.parse import parse

# The head cuts texts to 1,024 characters; a character takes up to twelve bytes as JSON (two \\u escapes).
_LONG_BYTES = 16 * 1024
# A text as far as its escapes are whole.
_WHOLE = re.compile(rb'"(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\[^u])*+')
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


def beginnings_of(content: Content) -> dict[str, Any] | None:
    """Return the object that a line of valid UTF-8 is, None for what is none.

    Its long texts are cut somewhere behind their 1,024th character.
    """
    if content.held is not None:
        try:
            return {name: _beginning(bytes(raw)) for name, raw in _DECODER.decode(content.held).items()}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return record_of(content)


def _beginning(data: bytes) -> Any:
    if len(data) <= _LONG_BYTES or not data.startswith(b'"'):
        return parse(data)
    found = _WHOLE.match(data, 0, _LONG_BYTES)
    return parse((found[0] if found else b'"').decode("utf-8", "ignore").encode() + b'"')
