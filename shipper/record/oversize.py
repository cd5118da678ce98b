"""A line that Loki does not take whole, as a head and parts that join to its exact bytes.

The head is a line of the same type, small enough to read, that names the parts; each part is
``{"_split": {"id", "part", "of"}, "data": <slice>}``, and ``"encoding": "base64"`` where the line is no text.
"""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

HEAD_BYTES = 8 * 1024
# A text of the head is cut to this; then to shorter ones until the head fits.
_CUTS = (1024, 256, 64, 16)
# A head of many fields still has to fit: past this depth and length, values are only named.
_MOST_ITEMS = 64
_BASE64_IN, _BASE64_OUT = 3, 4
_SHORT_ESCAPES = b'"\\\b\f\n\r\t'
_CONTROLS = bytes(set(range(0x20)) - set(_SHORT_ESCAPES))
# What \u0000 takes more than the byte that it stands for.
_LONG_ESCAPE_EXTRA = 5


def is_text(line: bytes) -> bool:
    """Tell whether a line is valid UTF-8."""
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def split(line: bytes, start: int, most: int) -> tuple[bytes, list[bytes], str]:
    """Return head, parts and id of a line at offset ``start``; no part is above ``most`` bytes."""
    digest = hashlib.sha256(line).hexdigest()
    split_id = f"{digest[:16]}-{start}"
    text = is_text(line)
    room = most - len(_part(split_id, 10**9, 10**9, b"", text=text))
    slices = list(_text_slices(line, room) if text else _byte_slices(line, room))
    parts = [
        _part(split_id, number, len(slices), piece, text=text) for number, piece in enumerate(slices, start=1)
    ]
    described = {"id": split_id, "bytes": len(line), "sha256": digest, "parts": len(parts)}
    return _head(line, described), parts, split_id


def _part(split_id: str, number: int, count: int, piece: bytes, *, text: bool) -> bytes:
    split_fields = {"id": split_id, "part": number, "of": count}
    if text:
        return orjson.dumps({"_split": split_fields, "data": piece.decode()})
    return orjson.dumps(
        {"_split": split_fields, "data": base64.b64encode(piece).decode(), "encoding": "base64"}
    )


def _byte_slices(line: bytes, room: int) -> Iterator[bytes]:
    step = room // _BASE64_OUT * _BASE64_IN
    for start in range(0, len(line), step):
        yield line[start : start + step]


def _text_slices(line: bytes, room: int) -> Iterator[bytes]:
    """Cut on borders of characters so that each slice, escaped as JSON, takes at most ``room`` bytes."""
    start = 0
    while start < len(line):
        end = start + _longest_prefix(line[start : start + room], room)
        while end < len(line) and line[end] & 0xC0 == 0x80:  # noqa: PLR2004 - a UTF-8 continuation byte
            end -= 1
        yield line[start:end]
        start = end


def _longest_prefix(data: bytes, room: int) -> int:
    low, high = 1, len(data)
    while low < high:
        middle = (low + high + 1) // 2
        if _escaped_size(data[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _escaped_size(data: bytes) -> int:
    short = len(data) - len(data.translate(None, _SHORT_ESCAPES))
    long = len(data) - len(data.translate(None, _CONTROLS))
    return len(data) + short + long * _LONG_ESCAPE_EXTRA


def _head(line: bytes, described: dict[str, Any]) -> bytes:
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        record = None
    if isinstance(record, dict):
        for cut in _CUTS:
            head = orjson.dumps({**_shorten(record, cut), "_split": described})
            if len(head) <= HEAD_BYTES:
                return head
        small = {
            name: value for name, value in record.items() if name in {"type", "seq", "status", "provider"}
        }
        return orjson.dumps({**_shorten(small, _CUTS[-1]), "_split": described})
    start = line[: _CUTS[0]].decode("utf-8", "replace")
    return orjson.dumps({"_split": described, "beginning": start})


def _shorten(value: Any, cut: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= cut else f"{value[:cut]}…"
    if isinstance(value, list):
        return [_shorten(each, cut) for each in value[: min(cut, _MOST_ITEMS) // 8]]
    if isinstance(value, dict):
        return {name[:cut]: _shorten(each, cut) for name, each in list(value.items())[:_MOST_ITEMS]}
    return value
