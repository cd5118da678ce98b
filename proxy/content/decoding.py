"""From bytes on the wire to text: content codings undone piece by piece, characters kept whole."""

import codecs
import zlib
from typing import Protocol

import brotli
import zstandard

# A small body can unpack to any size; past this the log keeps the packed bytes.
LARGEST_DECODED = 256 << 20
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
        unpacked = _decompress(self._unpacker, data)
        while rest := self._unpacker.unused_data.lstrip(b"\0"):
            self._unpacker = zlib.decompressobj(_GZIP)
            unpacked += _decompress(self._unpacker, rest)
        return unpacked


class _Deflate:
    """deflate as RFC 9110 has it, in zlib's frame, or bare, as some servers send it."""

    def __init__(self) -> None:
        self._unpacker = zlib.decompressobj()
        self._head = b""

    def feed(self, data: bytes) -> bytes:
        if len(self._head) >= _ZLIB_HEAD:
            return _decompress(self._unpacker, data)
        self._head += data
        if len(self._head) < _ZLIB_HEAD:
            return b""
        try:
            return _decompress(self._unpacker, self._head)
        except DecodeError:
            self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            return _decompress(self._unpacker, self._head)


def _decompress(unpacker: "zlib._Decompress", data: bytes) -> bytes:
    try:
        unpacked = unpacker.decompress(data, LARGEST_DECODED)
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
            return bytes(self._unpacker.process(data))
        except brotli.error as exc:
            raise DecodeError(str(exc)) from exc


class _Zstd:
    def __init__(self) -> None:
        self._unpacker = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)

    def feed(self, data: bytes) -> bytes:
        try:
            return self._unpacker.decompress(data)
        except zstandard.ZstdError as exc:
            raise DecodeError(str(exc)) from exc


class _Chain:
    """Several codings, undone in the reverse of their order (RFC 9110 8.4), and bounded."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders
        self._total = 0

    def feed(self, data: bytes) -> bytes:
        for decoder in self._decoders:
            data = decoder.feed(data)
        self._total += len(data)
        if self._total > LARGEST_DECODED:
            raise DecodeError(_TOO_MUCH)
        return data


def decoder_for(content_encoding: str) -> Decoder | None:
    """Return what undoes a Content-Encoding, None where nothing is to be done.

    Raises ``DecodeError`` for a coding that is not known.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    codings = [name for name in names if name not in {"", "identity"}]
    if not codings:
        return None
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
