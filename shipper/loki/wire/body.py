"""The bodies of Loki's answers: read up to a bound in bytes and in seconds, and never unpacked."""

import time
from collections.abc import Iterator

import httpx

# Names the bound in bytes in a request's extensions.
MOST = "most_bytes"
# Answers without a bound of their own: ``/config`` has 60 KiB, an error text less.
_MOST_BYTES = 1 << 20
_NO_TIMEOUT = float("inf")


class TooLongError(httpx.ReadError):
    """A body is longer than its request's bound."""


def bound(response: httpx.Response) -> None:
    """Bound what can be read of a response; a hook of httpx, which calls it once the head is there.

    The body may take as long as the request's read timeout in all, where httpx bounds each read alone. What
    comes packed although ``identity`` was asked for stays packed: a few bytes can unpack to gigabytes.
    """
    coding = response.headers.pop("Content-Encoding", "identity").strip().lower()
    response.extensions["coding"] = "" if coding == "identity" else coding
    asked = response.request.extensions
    seconds = asked.get("timeout", {}).get("read") or _NO_TIMEOUT
    response.stream = _Bounded(response.stream, asked.get(MOST, _MOST_BYTES), time.monotonic() + seconds)


def coding_of(response: httpx.Response) -> str:
    """Return the coding in which a body came that nobody asked for; empty where there is none."""
    return str(response.extensions.get("coding", ""))[:40]


class _Bounded(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream | httpx.AsyncByteStream, most: int, end: float) -> None:
        assert isinstance(stream, httpx.SyncByteStream)  # noqa: S101 - the client is a synchronous one
        self._stream = stream
        self._most = most
        self._end = end

    def __iter__(self) -> Iterator[bytes]:
        taken = 0
        for piece in self._stream:
            yield piece
            taken += len(piece)
            if taken > self._most:
                raise TooLongError(f"the answer is longer than {self._most} bytes")
            if time.monotonic() > self._end:
                raise httpx.ReadTimeout("the answer does not end")

    def close(self) -> None:
        self._stream.close()
