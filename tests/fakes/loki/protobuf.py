"""The protobuf form of a push, read by hand (pkg/push/push.proto)."""

from collections.abc import Iterator
from typing import Any

from tests.fakes.loki.entry import Entry

_NANOS = 1_000_000_000
# The year 1, which is what a missing timestamp means in Go.
_ZERO_TIME = -62_135_596_800 * _NANOS
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

Raw = tuple[str, list[Entry]]


class ProtobufError(ValueError):
    """The bytes are no push request."""


def decode(data: bytes) -> list[Raw]:
    """Return the label text and the entries of each stream. Raises ``ProtobufError``."""
    try:
        return [_stream(value) for number, value in _fields(data) if number == 1]
    except (IndexError, TypeError) as exc:
        raise ProtobufError("unexpected EOF") from exc


def size_of(label_size: int, entries: list[tuple[Entry, int]]) -> int:
    """Return about how many bytes a stream takes; each entry comes with the size of line and metadata."""
    # 16 for time and tags of an entry, 6 for the tags and lengths of a metadata pair: a few too many.
    return label_size + 8 + sum(size + 16 + 6 * len(entry.metadata) for entry, size in entries)


def _stream(data: Any) -> Raw:
    labels, entries = "", []
    for number, value in _fields(data):
        if number == 1:
            labels = _text(value)
        elif number == 2:
            entries.append(_entry(value))
    return labels, entries


def _entry(data: Any) -> Entry:
    ts, line = _ZERO_TIME, ""
    metadata: list[tuple[str, str]] = []
    for number, value in _fields(data):
        if number == 1:
            ts = _timestamp(value)
        elif number == 2:
            line = _text(value)
        elif number == 3:
            metadata.append(_pair(value))
    return Entry(ts, line, tuple(metadata))


def _timestamp(data: Any) -> int:
    parts = dict(_fields(data))
    return _signed(parts.get(1, 0)) * _NANOS + _signed(parts.get(2, 0))


def _pair(data: Any) -> tuple[str, str]:
    parts = dict(_fields(data))
    return _text(parts.get(1, b"")), _text(parts.get(2, b""))


def _text(data: Any) -> str:
    return bytes(data).decode("utf-8", "replace")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        kind = tag & 7
        if kind == _VARINT:
            value, position = _varint(data, position)
            yield tag >> 3, value
            continue
        if kind == _BYTES:
            size, position = _varint(data, position)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise ProtobufError(f"proto: illegal wireType {kind}")
        if position + size > end:
            raise ProtobufError("unexpected EOF")
        yield tag >> 3, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    position += 1
    if byte < 128:
        return byte, position
    value, shift = byte & 127, 7
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
