"""A push as bytes: gzip JSON, or snappy protobuf.

Loki: ``pkg/loghttp/push/push.go`` and ``pkg/push/push.proto``. Both carry the same entries.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

import cramjam
import orjson
from isal import isal_zlib

from shipper.entry import Entry, Pairs
from shipper.loki.logql import selector
from shipper.loki.push.push import Metadata, Push

# At level 1 isal packs 760 MB a CPU second at ratio 6.2; zlib's level 6 packs 52 at 7.5.
_GZIP_LEVEL = 1
_GZIP_WINDOW = 31
# Each call that packs gives the interpreter away and waits for it again, so there are few; for one of a whole
# push the system would have to map pages, and take them back.
_PORTION_BYTES = 192 * 1024
_NANOSECONDS = 1_000_000_000


# What ``fetch`` needs to find a session's lines and parts,.
_PLACE = frozenset({"offset", "part", "request_id", "session", "split_id"})
Encoded = tuple[dict[str, str], bytes]


class Encode(Protocol):
    """Turns a push into headers and a body, with as much of the metadata as the push says."""

    def __call__(self, push: Push) -> Encoded:
        """Return headers and body."""


def encode_json(push: Push) -> Encoded:
    """Return plain JSON."""
    return {"Content-Type": "application/json"}, b"".join(_json(push))


def encode_gzip_json(push: Push) -> Encoded:
    """Return gzip JSON."""
    packer = isal_zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WINDOW)
    packed = [packer.compress(piece) for piece in _json(push)]
    packed.append(packer.flush())
    return {"Content-Type": "application/json", "Content-Encoding": "gzip"}, b"".join(packed)


def encode_protobuf(push: Push) -> Encoded:
    """Return a snappy block of protobuf."""
    pieces = [_field(1, selector(push.stream).encode())]
    for entry in push.entries:
        named = b"".join([_pair(name, value) for name, value in _sent(entry, push.metadata)])
        start = _moment(entry.timestamp) + _start(2, len(entry.line))
        size = len(start) + len(entry.line) + len(named)
        pieces += (_start(2, size) + start, entry.line, named)
    message = b"".join([_start(1, sum(map(len, pieces))), *pieces])
    return {"Content-Type": "application/x-protobuf"}, bytes(cramjam.snappy.compress_raw(message))


def _json(push: Push) -> Iterator[bytes]:
    """Yield a push as JSON in a few pieces; its lines have been escaped when they were read."""
    before = b'{"streams":[{"stream":%b,"values":[' % orjson.dumps(dict(push.stream))
    for entries in _portions(push.entries):
        values = [
            (str(each.timestamp), orjson.Fragment(each.quoted), dict(metadata))
            if (metadata := _sent(each, push.metadata))
            else (str(each.timestamp), orjson.Fragment(each.quoted))
            for each in entries
        ]
        yield before + orjson.dumps(values)[1:-1]
        before = b","
    yield b"]}]}"


def _sent(entry: Entry, metadata: Metadata) -> Pairs:
    if metadata is Metadata.ALL:
        return entry.metadata
    return tuple(each for each in entry.metadata if metadata and each[0] in _PLACE)


def _portions(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Yield the entries in portions that are worth a call."""
    first = size = 0
    for past, entry in enumerate(entries, 1):
        size += len(entry.text)
        if size >= _PORTION_BYTES:
            yield entries[first:past]
            first, size = past, 0
    if first < len(entries):
        yield entries[first:]


def _moment(timestamp: int) -> bytes:
    seconds, nanoseconds = divmod(timestamp, _NANOSECONDS)
    return _field(1, b"\x08" + _varint(seconds) + (b"\x10" + _varint(nanoseconds) if nanoseconds else b""))


# Most values of metadata stand in many entries.
@lru_cache(maxsize=1024)
def _pair(name: str, value: str) -> bytes:
    return _field(3, _field(1, name.encode()) + _field(2, value.encode()))


def _field(number: int, content: bytes) -> bytes:
    return _start(number, len(content)) + content


def _start(number: int, size: int) -> bytes:
    """Return what stands before the content of a field."""
    return b"%c%b" % (number << 3 | 2, _varint(size))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte, by protobuf's wire format
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
