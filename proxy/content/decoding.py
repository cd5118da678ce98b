"""From bytes on the wire to text: content codings undone piece by piece, characters kept whole."""

import codecs
import zlib
from typing import Protocol

import brotli
import zstandard

# What a body may unpack to: twice the largest request that a provider takes (32 MB). Past it the packed bytes
# are on record.
LARGEST_DECODED = 64 << 20
# A decoder takes a slice of a body and may return a step for it, so that a small body that unpacks to
# gigabytes is noticed before it is in memory, and before much time went into it.
_SLICE = 16 << 10
_STEP = 8 << 20
# Conversations unpack to some ten times their size. Beyond a step, what unpacks to more than this is made to
# keep the recorder busy: thousands of such bodies fit into its queue.
_MOST_RATIO = 200
# A zstd block of 4 bytes may unpack to 128 KiB (RFC 8878 3.1.1.2): so many bytes are one step.
_ZSTD_SLICE = 256
# The window that RFC 9659 allows for zstd as a content coding.
_ZSTD_WINDOW = 8 << 20
# Each further coding multiplies what a body can unpack to; no client or provider uses more than one.
_MOST_CODINGS = 2
_GZIP = 16 + zlib.MAX_WBITS
_ZLIB_HEAD = 2  # bytes, by which zlib tells its frame (RFC 1950 2.2)
_TOO_MUCH = "unpacks to too much"


class DecodeError(Exception):
    """The bytes are not what Content-Encoding says, or unpack to too much."""


class Decoder(Protocol):
    """Takes what arrived and returns what it unpacks to so far."""

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that can be unpacked by now. Raises ``DecodeError``."""
        ...


class _Gzip:
    """gzip (RFC 1952), several members too."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> bytes:
        unpacked = bytearray(_inflate(self._unpacker, data))
        while rest := self._unpacker.unused_data.lstrip(b"\0"):
            self._unpacker = zlib.decompressobj(_GZIP)
            unpacked += _inflate(self._unpacker, rest)
            if len(unpacked) > _STEP:
                raise DecodeError(_TOO_MUCH)
        return bytes(unpacked)


class _Deflate:
    """deflate as RFC 9110 has it, in zlib's frame, or bare, as some servers send it."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj()
        self._head = b""

    def feed(self, data: bytes) -> bytes:
        if len(self._head) >= _ZLIB_HEAD:
            return _inflate(self._unpacker, data)
        self._head += data
        if len(self._head) < _ZLIB_HEAD:
            return b""
        try:
            return _inflate(self._unpacker, self._head)
        except DecodeError:
            self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            return _inflate(self._unpacker, self._head)


def _inflate(unpacker: "zlib._Decompress", data: bytes) -> bytes:
    try:
        unpacked = unpacker.decompress(data, _STEP)
    except zlib.error as exc:
        raise DecodeError(str(exc)) from exc
    if unpacker.unconsumed_tail:
        raise DecodeError(_TOO_MUCH)
    return unpacked


class _Brotli:
    def __init__(self) -> None:
        self._unpacker = brotli.Decompressor()

    def feed(self, data: bytes) -> bytes:
        try:
            unpacked = bytes(self._unpacker.process(data, output_buffer_limit=_STEP))
        except brotli.error as exc:
            raise DecodeError(str(exc)) from exc
        if not self._unpacker.can_accept_more_data():
            raise DecodeError(_TOO_MUCH)
        return unpacked


class _Zstd:
    def __init__(self) -> None:
        unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._unpacker = unpacker.decompressobj(read_across_frames=True)

    def feed(self, data: bytes) -> bytes:
        unpacked = bytearray()
        try:
            for start in range(0, len(data), _ZSTD_SLICE):
                unpacked += self._unpacker.decompress(data[start : start + _ZSTD_SLICE])
                if len(unpacked) > _STEP:
                    raise DecodeError(_TOO_MUCH)
        except zstandard.ZstdError as exc:
            raise DecodeError(str(exc)) from exc
        return bytes(unpacked)


class _Chain:
    """Codings, undone in the reverse of their order (RFC 9110 8.4), and bounded for the whole body."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders
        self._packed = self._total = 0

    def feed(self, data: bytes) -> bytes:
        return b"".join(self._step(data[start : start + _SLICE]) for start in range(0, len(data), _SLICE))

    def _step(self, data: bytes) -> bytes:
        self._packed += len(data)
        for decoder in self._decoders:
            data = decoder.feed(data)
        self._total += len(data)
        if self._total > min(LARGEST_DECODED, max(_STEP, _MOST_RATIO * self._packed)):
            raise DecodeError(_TOO_MUCH)
        return data


def decoder_for(content_encoding: str) -> Decoder | None:
    """Return what undoes a Content-Encoding, None where nothing is to be done.

    A step of it returns no more than a few megabytes for 16 KiB, and no body more than ``LARGEST_DECODED``.
    Raises ``DecodeError`` for a coding that is not known, and for more than two of them.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    codings = [name for name in names if name not in {"", "identity"}]
    if not codings:
        return None
    if len(codings) > _MOST_CODINGS:
        raise DecodeError(f"more than {_MOST_CODINGS} content codings")
    return _Chain([_decoder(name) for name in reversed(codings)])


def _decoder(name: str) -> Decoder:
    match name:
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case "br":
            return _Brotli()
        case "zstd":
            return _Zstd()
        case _:
            raise DecodeError(f"unknown content coding {name!r}")


class TextSplitter:
    """Cuts a stream of bytes into texts at character borders; what is no UTF-8 comes back as bytes."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data: bytes) -> str | bytes:
        """Return the text up to the last whole character, or all bytes not yet returned if they are none."""
        pending: bytes = self._decoder.getstate()[0]
        try:
            return self._decoder.decode(data)
        except UnicodeDecodeError:
            self._decoder.reset()
            return pending + data

    def finish(self) -> bytes:
        """Return the bytes of a character that never became whole."""
        pending: bytes = self._decoder.getstate()[0]
        self._decoder.reset()
        return pending
