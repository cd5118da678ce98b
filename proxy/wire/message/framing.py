"""Where a body ends, and its bytes without the framing of its connection (RFC 9112 6 and 7)."""

import re
from typing import Protocol

from proxy.wire.message.head import LARGEST_HEAD, Framing, MalformedError

# A size, and extensions that nobody uses; what is longer never ends.
_LONGEST_SIZE_LINE = 4 << 10
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t -~\x80-\xff]*)?")


class Decoder(Protocol):
    """Takes what comes after a head. ``rest`` is what came after the body's end; ``done`` once it ended."""

    done: bool
    rest: bytes

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes among these. Raises ``MalformedError``."""
        ...


class Sized:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        self._missing = length
        self.done = not length
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes among these."""
        if len(data) > self._missing:
            data, self.rest = data[: self._missing], data[self._missing :]
        self._missing -= len(data)
        self.done = not self._missing
        return data


class Endless:
    """A body that ends with its connection, or bytes that are no HTTP at all."""

    def __init__(self) -> None:
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Return the same bytes."""
        return data


class Chunked:
    """A body in chunks; extensions and trailers are dropped, as they are of one connection."""

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self._missing = 0
        self._pending = b""
        self._between = b""
        self._in_trailers = False

    def feed(self, data: bytes) -> bytes:
        """Return the body's bytes among these. Raises ``MalformedError``."""
        if len(data) < self._missing:
            self._missing -= len(data)
            return data
        if self._pending:
            data, self._pending = self._pending + data, b""
        pieces: list[bytes] = []
        at, end = 0, len(data)
        while not self.done:
            if self._missing:
                pieces.append(data[at : at + self._missing])
                at += len(pieces[-1])
                self._missing -= len(pieces[-1])
                if self._missing:
                    break
                self._between = b"\r\n"
            reached = self._line(data, at)
            if reached < 0:
                self._pending = data[at:end]
                break
            at = reached
        if self.done:
            self.rest = data[at:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _line(self, data: bytes, at: int) -> int:
        """Read what stands between the pieces; return where it ends, -1 where it has not come whole."""
        if self._in_trailers:
            return self._trailers(data, at)
        start = at + len(self._between)
        if data[at:start] != self._between[: len(data) - at]:
            raise MalformedError("a chunk is longer than its size")
        end = data.find(b"\r\n", start)
        if end < 0:
            if len(data) - at > _LONGEST_SIZE_LINE or not _SIZE_BEGINS.fullmatch(data, start):
                raise MalformedError("a chunk has no size")
            return -1
        match = _SIZE.fullmatch(data, start, end)
        if match is None or end - start > _LONGEST_SIZE_LINE:
            raise MalformedError("a chunk has no size")
        self._missing = int(match[1], 16)
        self._between = b""
        self._in_trailers = not self._missing
        return end + 2

    def _trailers(self, data: bytes, at: int) -> int:
        if data[at : at + 2] == b"\r\n":
            self.done = True
            return at + 2
        end = data.find(b"\r\n\r\n", at)
        if (end if end >= 0 else len(data)) - at > LARGEST_HEAD:
            raise MalformedError("the trailers are too large")
        if end < 0:
            return -1
        self.done = True
        return end + 4


# Some of a size line, to its end or not.
_SIZE_BEGINS = re.compile(rb"(?:[0-9A-Fa-f]{1,15}[ \t]*(?:;[\t -~\x80-\xff]*)?)?\r?")


def decoder_of(framing: Framing) -> Decoder:
    """Return what reads a body of this framing."""
    if framing.body == "chunked":
        return Chunked()
    if framing.body == "close":
        return Endless()
    return Sized(framing.length)
