"""Where a long line is cut so that each slice, written into a part, is no longer than Loki takes."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from groundwork.utf8 import NotTextError, quote, whole_characters

_BASE64_IN, _BASE64_OUT = 3, 4


@dataclass(frozen=True, slots=True)
class Slices:
    """A line's size and SHA-256, whether it is valid UTF-8, and where each of its slices begins.

    ``escaped`` are the slices of a text as they stand in JSON, if they were kept.
    """

    size: int
    sha256: str
    is_text: bool
    starts: Sequence[int]
    escaped: Sequence[bytes] = field(default=(), compare=False, repr=False)

    @property
    def count(self) -> int:
        """How many slices there are."""
        return len(self.starts)

    def bounds(self, number: int) -> tuple[int, int]:
        """Return where the ``number``-th slice, from 0, begins and ends."""
        following = self.starts[number + 1] if number + 1 < self.count else self.size
        return self.starts[number], following


def cut(blocks: Iterable[bytes], room: int, binary_room: int, *, keep: bool = False) -> Slices:
    """Survey a line in one pass, without holding it unless it is to ``keep`` what it has escaped.

    A slice of text takes at most ``room`` bytes once it is escaped as JSON, and is cut on a border of
    characters; one of a line that is no text takes at most ``binary_room`` bytes as base64.
    """
    digest = hashlib.sha256()
    cutter = _Cutter(room, keep=keep)
    size = 0
    for block in blocks:
        digest.update(block)
        cutter.feed(block)
        size += len(block)
    if cutter.ends_as_text():
        return Slices(size, digest.hexdigest(), is_text=True, starts=cutter.starts, escaped=cutter.kept())
    step = binary_room // _BASE64_OUT * _BASE64_IN
    return Slices(size, digest.hexdigest(), is_text=False, starts=range(0, size, step))


class _Cutter:
    """Finds the borders of slices of text; gives up at the first byte that is none."""

    def __init__(self, room: int, *, keep: bool) -> None:
        self._room = room
        self._keep = keep
        self._is_text = True
        self._rest = b""
        self._used = 0
        self._at = 0
        self._slice: list[bytes] = []
        self._kept: list[bytes] = []
        self.starts = [0]

    def feed(self, block: bytes) -> None:
        if not self._is_text:
            return
        data = self._rest + block
        end = whole_characters(data)
        try:
            self._take(quote(data[:end])[1:-1])
        except NotTextError:
            self._is_text = False
            self._slice, self._kept = [], []
        self._at += end
        self._rest = data[end:]

    def ends_as_text(self) -> bool:
        """Tell whether all was text, down to the last character."""
        return self._is_text and not self._rest

    def kept(self) -> list[bytes]:
        """Return what each slice is in JSON, if that is kept."""
        return [*self._kept, b"".join(self._slice)] if self._keep else []

    def _take(self, escaped: bytes) -> None:
        taken = 0
        while len(escaped) > self._room - self._used:
            prefix, size = _longest_prefix(escaped, self._room - self._used)
            self._add(escaped[:prefix])
            taken += size
            self._next_slice(self._at + taken)
            escaped = escaped[prefix:]
        self._add(escaped)

    def _add(self, escaped: bytes) -> None:
        self._used += len(escaped)
        if self._keep:
            self._slice.append(escaped)

    def _next_slice(self, start: int) -> None:
        self.starts.append(start)
        self._used = 0
        if self._keep:
            self._kept.append(b"".join(self._slice))
            self._slice = []


def _longest_prefix(escaped: bytes, room: int) -> tuple[int, int]:
    """Return how many bytes of an escaped text fit, cut on a border, and how many bytes they stand for."""
    while True:
        try:
            return room, len(orjson.loads(b'"%b"' % escaped[:room]).encode())
        except orjson.JSONDecodeError:
            room -= 1
