"""Amazon's event streams (``application/vnd.amazon.eventstream``): bytes, cut anywhere, to messages."""

import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

_PRELUDE = struct.Struct(">III")  # of the message: its size, its headers' size, a checksum of the two
_CHECKSUM = 4
# What Amazon allows for a message, 16 MiB, and its headers, 128 KiB.
_LARGEST = (16 << 20) + (128 << 10) + 16
# The sizes of header values by their type; a text or bytes, 6 and 7, have their size before them.
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES, _TEXT = 6, 7


class Frame(NamedTuple):
    """One message: those of its headers that are text, such as ``:event-type``, and its payload."""

    headers: dict[str, str]
    payload: bytes


class FrameReader:
    """Collects messages; what does not look like one ends the reading, as all behind it is lost."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.is_broken = False
        """What came is no such stream, or not any more."""

    def feed(self, piece: bytes) -> list[Frame]:
        """Return the messages that this piece completes."""
        frames: list[Frame] = []
        if self.is_broken:
            return frames
        self._held += piece
        at = 0
        while len(self._held) - at >= _PRELUDE.size:
            size, headers, checksum = _PRELUDE.unpack_from(self._held, at)
            least = _PRELUDE.size + headers + _CHECKSUM
            if not least <= size <= _LARGEST or zlib.crc32(self._held[at : at + 8]) != checksum:
                self.is_broken = True
                self._held = bytearray()
                return frames
            if len(self._held) - at < size:
                break
            payload = at + _PRELUDE.size + headers
            told = _headers(bytes(self._held[at + _PRELUDE.size : payload]))
            frames.append(Frame(told, bytes(self._held[payload : at + size - _CHECKSUM])))
            at += size
        del self._held[:at]
        return frames


def frame_bytes(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return a message with these headers."""
    told = b"".join(_header(name.encode("latin-1"), value.encode()) for name, value in headers.items())
    sizes = struct.pack(">II", _PRELUDE.size + len(told) + len(payload) + _CHECKSUM, len(told))
    message = sizes + struct.pack(">I", zlib.crc32(sizes)) + told + payload
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: bytes, value: bytes) -> bytes:
    return bytes([len(name)]) + name + bytes([_TEXT]) + struct.pack(">H", len(value)) + value


def _headers(data: bytes) -> dict[str, str]:
    headers = {}
    at = 0
    while at < len(data):
        named = at + 1 + data[at]
        name, kind = data[at + 1 : named], data[named : named + 1]
        at = named + 1
        if kind and kind[0] in {_BYTES, _TEXT}:
            size = int.from_bytes(data[at : at + 2], "big")
            if kind[0] == _TEXT:
                headers[name.decode("latin-1")] = data[at + 2 : at + 2 + size].decode("utf-8", "replace")
            at += 2 + size
        elif not kind or kind[0] not in _SIZES:
            break
        else:
            at += _SIZES[kind[0]]
    return headers
