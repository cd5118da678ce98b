"""Bytes that are text, and the JSON strings that stand for it."""

from codecs import utf_8_decode

import orjson
from pydantic_core import PydanticSerializationError, to_json

# A piece stays in the processor's cache, and a wide character widens only its own: large texts decode about
# twice as fast as whole.
_PIECE_BYTES = 16 * 1024
_CONTINUATION, _CONTINUATION_MASK = 0x80, 0xC0
_LONGEST = 4
# What characters of two, three and four bytes begin with at least.
_LEADS = (0xC0, 0xE0, 0xF0)


class NotTextError(ValueError):
    """The bytes are not UTF-8."""


def quote(text: bytes) -> bytes:
    """Return a text in UTF-8 as a JSON string. Raises ``NotTextError``.

    One pass checks and escapes. The detour over ``str`` is faster only for ASCII, which is not widened on it.
    """
    if text.isascii():
        # A copy: orjson makes room for the most that could come, ten times as much, and gives none back.
        return bytes(memoryview(orjson.dumps(text.decode())))
    try:
        return to_json(text)
    except PydanticSerializationError as exc:
        raise NotTextError from exc


def unquote(quoted: bytes) -> bytes:
    """Return the text that a string of ``quote``'s stands for."""
    text: str = orjson.loads(quoted)
    return text.encode()


def is_text(data: bytes) -> bool:
    """Tell whether bytes are valid UTF-8."""
    if data.isascii():
        return True
    view = memoryview(data)
    start = 0
    try:
        while start < len(view):
            end = start + _PIECE_BYTES
            start += utf_8_decode(view[start:end], "strict", end >= len(view))[1]
    except UnicodeDecodeError:
        return False
    return True


def whole_characters(data: bytes) -> int:
    """Return how many of these bytes remain when a character that goes on behind their end is left out.

    Of bytes that are no text it may be any number above their length less four.
    """
    for back in range(1, min(_LONGEST, len(data)) + 1):
        byte = data[-back]
        if byte & _CONTINUATION_MASK != _CONTINUATION:
            needed = 1 + sum(byte >= lead for lead in _LEADS)
            return len(data) - back if needed > back else len(data)
    return len(data)
