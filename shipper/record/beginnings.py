"""What the head of a long line shows of it, without reading all of it: long texts by their beginning only."""

import re
from typing import Any

import msgspec

from shipper.record.content import Content
from shipper.record.ends import record_of
from shipper.record.parse import parse

# The head cuts texts to 1,024 characters; a character takes up to twelve bytes as JSON (two \\u escapes).
_LONG_BYTES = 16 * 1024
_QUOTE = ord('"')
# A text as far as its escapes are whole.
_WHOLE = re.compile(rb'"(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\[^u])*+')
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


def beginnings_of(content: Content) -> dict[str, Any] | None:
    """Return the object that a line is, None for what is none.

    Its long texts are cut somewhere behind their 1,024th character. Raises what ``content.read`` raises.
    """
    if content.held is not None:
        try:
            return {name: _beginning(memoryview(raw)) for name, raw in _DECODER.decode(content.held).items()}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return record_of(content)


def _beginning(raw: memoryview) -> Any:
    if len(raw) <= _LONG_BYTES or raw[0] != _QUOTE:
        return parse(bytes(raw))
    found = _WHOLE.match(bytes(raw[:_LONG_BYTES]))
    return parse((found[0] if found else b'"').decode("utf-8", "replace").encode() + b'"')
