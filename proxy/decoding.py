"""From bytes on the wire to text: content codings undone piece by piece, characters kept whole."""

import codecs
import zlib
from typing import Protocol

import brotli
import zstandard

# A small body can unpack to any size; past this the log keeps the packed bytes.
LARGEST_DECODED = 256 << 20
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class DecodeError(Exception):
    """The bytes are not what Content-Encoding says, or unpack to too much."""


class Decoder(Protocol):
    """Takes what arrived and returns what it unpacks to so far."""

    def feed(self, data: bytes) -> bytes:
        """Return the bytes that can be unpacked by now. Raises ``DecodeError``."""
        ...


class _Zlib:
    """gzip (RFC 1952, several members too) and deflate, with zlib's frame or bare, as both are sent."""

    def __init__(self, *, bare_allowed: bool) -> None:
        self._unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._bare_allowed = bare_allowed

    def feed(self, data: bytes) -> bytes:
        try:
            unpacked = self._unpacker.decompress(data, LARGEST_DECODED)
        except zlib.error as exc:
            if not self._bare_allowed:
                raise DecodeError(str(exc)) from exc
            self._unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            self._bare_allowed = False
            return self.feed(data)
        self._bare_allowed = False
        rest = self._unpacker.unused_data
        if rest.strip(b"\0"):
            self._unpacker = zlib.decompressobj(_GZIP_OR_ZLIB)
            unpacked += self.feed(rest)
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
            raise DecodeError("unpacks to too much")
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
            return _Zlib(bare_allowed=False)
        case "deflate":
            return _Zlib(bare_allowed=True)
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
