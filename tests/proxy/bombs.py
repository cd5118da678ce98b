"""Bodies of a few kilobytes that unpack to hundreds of megabytes, by the coding that they are sent with."""

import gzip
import zlib
from functools import cache

import brotli
import zstandard

_ZEROS = b"\0" * (16 << 20)
_TIMES = 20


def _deflated(data: bytes, times: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(data) for _ in range(times)) + packer.flush()


def _brotli(data: bytes, times: int) -> bytes:
    packer = brotli.Compressor(quality=3)
    return b"".join([*(packer.process(data) for _ in range(times)), packer.finish()])


@cache
def bombs() -> dict[str, tuple[str, bytes]]:
    """Return each bomb's Content-Encoding and bytes."""
    once = zlib.compress(_deflated(_ZEROS, _TIMES), 9)
    return {
        "br": ("br", _brotli(_ZEROS, _TIMES)),
        "zstd": ("zstd", zstandard.compress(_ZEROS * 4) * 5),
        "gzip, gzip": ("gzip, gzip", gzip.compress(gzip.compress(_ZEROS * 4, 9) * 5, 9)),
        "gzip members": ("gzip", gzip.compress(_ZEROS, 9) * _TIMES),
        "deflate three times": ("deflate, deflate, deflate", zlib.compress(once, 9)),
        "ten thousand codings": (", ".join(["gzip"] * 10_000), gzip.compress(b"{}")),
    }


NAMES = ("br", "zstd", "gzip, gzip", "gzip members", "deflate three times", "ten thousand codings")
