"""JSON of any size made small: long strings by their hashes, and past a bound the ends of deep lists gone."""

import hashlib
import re

# Images and documents are longer, and what a person or a model writes at once rarely is.
LONG = 16 << 10
# What is left of a body may take so much; more is thinned further.
KEPT = 4 << 20
# Lists and objects inside each other down to here keep all members, as ``response.usage`` is one; of a body
# with so many messages that twice the bound is reached, only its own members.
_SHALLOW, _SHALLOWEST = 2, 1
_STRING = re.compile(rb'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
# The rest of a string, as far as it is here; a backslash at the end waits for what it escapes.
_INSIDE = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_MARKS = re.compile(rb"[\[\]{},]")


def thin(data: bytes) -> bytes:
    """Return JSON with the hash of each long string in its place, as ``Thinner`` does."""
    return _STRING.sub(_short, data) if len(data) > LONG else data


def _short(found: re.Match[bytes]) -> bytes:
    inside = found[1]
    return found[0] if len(inside) < LONG else _named(hashlib.sha256(inside))


def _named(digest: "hashlib._Hash") -> bytes:
    return b'"sha256:%b"' % digest.hexdigest().encode()


def _end_of(piece: bytes, at: int) -> int:
    """Return where the text that goes on at ``at`` ends, or stops at a backslash that is the last byte."""
    quote = piece.find(b'"', at)
    end = len(piece) if quote < 0 else quote
    if piece.find(b"\\", at, end) < 0:
        return end  # no image and few texts have an escape, and this is many times faster
    found = _INSIDE.match(piece, at)
    return found.end() if found else at


class Thinner:
    """Takes JSON in pieces, in linear time, and keeps about ``kept`` bytes of it at most."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._out = bytearray()
        self._depth = 0
        self._skipped = 0
        """The depth of the container whose further members are left out; 0 is none."""
        self._string: bytearray | None = None
        self._digest: hashlib._Hash | None = None
        self._escape = b""

    def feed(self, piece: bytes) -> None:
        """Take what comes next."""
        at = 0
        while at < len(piece):
            if self._string is not None:
                at = self._inside(self._string, piece, at)
                continue
            quote = piece.find(b'"', at)
            self._outside(piece[at:] if quote < 0 else piece[at:quote])
            if quote < 0:
                return
            self._string = bytearray()
            at = quote + 1

    def finish(self) -> bytes:
        """Return what is left; JSON where the pieces were."""
        if self._string is not None:
            self._out += b'"' + self._string
        out, self._out = bytes(self._out), bytearray()
        return out

    def _inside(self, string: bytearray, piece: bytes, at: int) -> int:
        """Take a string up to its end, or all that is here of it."""
        if self._escape:
            self._grow(string, self._escape + piece[at : at + 1])
            self._escape = b""
            at += 1
        end = _end_of(piece, at)
        self._grow(string, piece[at:end])
        if end == len(piece):
            return end
        if piece[end : end + 1] == b"\\":
            self._escape = b"\\"
            return end + 1
        if not self._skipped:
            self._out += b'"' + string + b'"' if self._digest is None else _named(self._digest)
        self._string = self._digest = None
        return end + 1

    def _grow(self, string: bytearray, data: bytes) -> None:
        if self._digest is not None:
            self._digest.update(data)
            return
        string += data
        if len(string) >= LONG:
            self._digest = hashlib.sha256(string)
            string.clear()

    def _outside(self, segment: bytes) -> None:
        if not self._skipped and len(self._out) < self._kept:
            self._depth += segment.count(b"{") + segment.count(b"[")
            self._depth -= segment.count(b"}") + segment.count(b"]")
            self._out += segment
            return
        start = 0
        shallow = _SHALLOW if len(self._out) < 2 * self._kept else _SHALLOWEST
        for mark in _MARKS.finditer(segment):
            if mark[0] == b"," and not self._skipped and self._depth > shallow:
                self._out += segment[start : mark.start()]
                self._skipped = self._depth
            elif mark[0] != b",":
                self._depth += 1 if mark[0] in b"[{" else -1
                if self._depth < self._skipped:
                    self._skipped, start = 0, mark.start()
        if not self._skipped:
            self._out += segment[start:]
