"""Lines with whole bodies, from lines that have ``body_delta`` in their place: docs/record-format.md.

Two bodies are in memory, however many lines there are: a base that is not the one before is built again from
its line and those that it goes back to.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec
import orjson

from groundwork.utf8 import quote, whole_characters
from shipper.commands.fetch.source.growing_hash import GrowingHash


class Delta(msgspec.Struct, frozen=True):
    """A body as ranges ``(start, length)`` of the UTF-8 of the body of call ``base``, and new texts."""

    base: int
    size: int
    sha256: str
    pieces: tuple[str | tuple[int, int], ...]


class _Request(msgspec.Struct):
    type: str
    seq: int
    body: msgspec.Raw = msgspec.Raw(b"null")
    body_delta: Delta | None = None
    body_encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A line; with its body whole unless ``trouble`` says why it cannot be rebuilt."""

    line: bytes
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A line as it is on record, with the ``body`` that its delta stands for, where it has one."""

    line: bytes
    body: bytes | None = None
    trouble: str = ""

    @property
    def whole(self) -> bytes:
        """The line with its body in it."""
        return self.line if self.body is None else _whole(self.line, self.body)


@dataclass(frozen=True, slots=True)
class _Place:
    """A request's line, and the call whose body its own goes back to; 0 where that is whole."""

    number: int
    base: int


class _UnbuiltError(Exception):
    """A body cannot be rebuilt; the text says why."""


_REQUESTS = msgspec.json.Decoder(_Request)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MARK = b'"body_delta"'
_BODY = b'"body"'
_NO_TEXT = "whose body is not on record as text"
_PIECE_BYTES = 16 << 10


def rebuilt(lines: Iterable[bytes], again: Callable[[int], bytes]) -> Iterator[Rebuilt]:
    """Yield the lines of one session's file, in its order, as ``repeat_history = true`` writes them.

    ``again(n)`` returns the line n, the first as 0, which ``lines`` has yielded before. Every body is
    verified by its hash. A line whose body cannot be rebuilt is yielded as it is.
    """
    bodies = Bodies(again)
    for number, line in enumerate(lines):
        built = bodies.take(number, line)
        yield Rebuilt(built.whole, built.trouble)


def new_text(delta: Delta) -> str:
    """Return what is new in a body, and how much stands between."""
    return "\n".join(each if isinstance(each, str) else _hint(delta.base, each[1]) for each in delta.pieces)


def _hint(base: int, length: int) -> str:
    return f"[{length:,} bytes of call {base}]"


def delta_in(record: dict[str, object]) -> Delta | None:
    """Return the delta that a request on record has for a body."""
    try:
        return msgspec.convert(record.get("body_delta"), Delta)
    except msgspec.ValidationError:
        return None


class Bodies:
    """The bodies of one session's requests, of which the latest are in memory.

    ``again(n)`` returns the line n, which was taken, or passed, before.
    """

    def __init__(self, again: Callable[[int], bytes]) -> None:
        self._again = again
        self._places: dict[int, _Place] = {}
        self._unbuilt: dict[int, str] = {}
        """Of each call without a body, what is to be said of one that goes back to it."""
        self._held: dict[int, bytes] = {}
        self._largest = 0
        self._hash = GrowingHash()

    def take(self, number: int, line: bytes) -> Built:
        """Return a line with its body; every body is verified by its hash."""
        if _MARK not in line and _BODY not in line:
            return Built(line)
        request = _read(line)
        if request is None:
            return Built(line, None, "a line's body_delta cannot be read" if _MARK in line else "")
        self._place(request, number)
        if request.body_delta is None:
            return Built(line)
        try:
            body = self._body(request.body_delta, number)
        except _UnbuiltError as exc:
            self._unbuilt[request.seq] = "which cannot be rebuilt"
            return Built(line, None, f"call {request.seq}: {exc}")
        self._hold(request.seq, body)
        return Built(line, body)

    def pass_by(self, number: int, line: bytes) -> int:
        """Take note of a line whose body is not asked for; return the ``seq`` of a request, 0 for others."""
        request = _read(line) if _MARK in line or _BODY in line else None
        if request is None:
            return 0
        self._place(request, number)
        return request.seq

    def _place(self, request: _Request, number: int) -> None:
        delta = request.body_delta
        self._places[request.seq] = _Place(number, delta.base if delta else 0)
        self._unbuilt.pop(request.seq, None)
        self._held.pop(request.seq, None)
        if delta is None and not _is_text(request):
            self._unbuilt[request.seq] = _NO_TEXT

    def _body(self, delta: Delta, number: int) -> bytes:
        body = _joined(delta, self._base(delta.base, number))
        if self._hash.of(body) != delta.sha256:
            raise _UnbuiltError(f"its body, rebuilt on that of call {delta.base}, has another SHA-256")
        return body

    def _base(self, seq: int, number: int) -> bytes:
        """Return the body of a call before the line ``number``, built from what is held or a whole one on."""
        behind: list[int] = []
        at, before = seq, number
        while at not in self._held:
            if at in self._unbuilt:
                raise _UnbuiltError(f"it goes back to call {at}, {self._unbuilt[at]}")
            place = self._places.get(at)
            if place is None or place.number >= before:
                raise _UnbuiltError(f"it goes back to the request of call {at}, which is not there")
            behind.append(at)
            at, before = place.base, place.number
            if not at:
                break
        body = self._held[at] if at else b""
        for each in reversed(behind):
            request = _read(self._again(self._places[each].number))
            if request is None:
                raise _UnbuiltError(f"it goes back to the request of call {each}, which cannot be read again")
            body = _joined(request.body_delta, body) if request.body_delta else _text(request)
        return body

    def _hold(self, seq: int, body: bytes) -> None:
        """Hold a body, and of those before it what takes together no more than the largest of all."""
        self._largest = max(self._largest, len(body))
        self._held.pop(seq, None)
        self._held[seq] = body
        room = self._largest
        for each in reversed(list(self._held)):
            room -= len(self._held[each])
            if room < 0:
                del self._held[each]


def _read(line: bytes) -> _Request | None:
    try:
        request = _REQUESTS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return request if request.type == "request" else None


def _is_text(request: _Request) -> bool:
    return bytes(request.body) != b"null" and request.body_encoding is None


def _text(request: _Request) -> bytes:
    if not _is_text(request):
        raise _UnbuiltError(_NO_TEXT)
    return msgspec.json.decode(request.body, type=str).encode("utf-8", "surrogatepass")


def _joined(delta: Delta, base: bytes) -> bytes:
    """Return the body that a delta stands for."""
    pieces: list[bytes | memoryview] = []
    view = memoryview(base)
    for each in delta.pieces:
        if isinstance(each, str):
            pieces.append(each.encode())
            continue
        start, length = each
        if start < 0 or length < 0 or start + length > len(base):
            raise _UnbuiltError(f"it names bytes that the body of call {delta.base} has not")
        pieces.append(view[start : start + length])
    return b"".join(pieces)


def _whole(line: bytes, body: bytes) -> bytes:
    """Return a line with a body in the place of its delta."""
    encoded: list[bytes] = []
    for name, raw in _MEMBERS.decode(line).items():
        if name == "body_delta":
            encoded += (b',"body":"', *_escaped(body), b'"')
        else:
            encoded += (b",", orjson.dumps(name), b":", bytes(raw))
    encoded[0] = encoded[0].replace(b",", b"{", 1)
    return b"".join((*encoded, b"}"))


def _escaped(body: bytes) -> Iterator[bytes]:
    """Yield a body as it stands in a JSON string; in pieces, as encoding takes several times their size."""
    start = 0
    while start < len(body):
        piece = body[start : start + _PIECE_BYTES]
        end = whole_characters(piece) if start + len(piece) < len(body) else len(piece)
        yield quote(piece[:end])[1:-1]
        start += end
