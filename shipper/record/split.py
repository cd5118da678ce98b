"""A line that Loki does not take whole, as a head and parts that join to its exact bytes.

The head describes the parts: ``_split {id, bytes, sha256, parts}``. Each part is
``{"_split": {"id", "part", "of"}, "data": <slice>}``, and ``"encoding": "base64"`` where the line is no text.
A slice is cut so that, once it is escaped into a part, the part is no longer than Loki takes.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from groundwork.utf8 import NotTextError, quote, whole_characters
from shipper.record.content import Content, content_in_memory
from shipper.record.head import BEGINNING_BYTES, head_of

LEAST_BYTES = 1024
_BASE64_IN, _BASE64_OUT = 3, 4
_DIGEST_LETTERS = 16
# A number of as many digits as any line could have parts.
_MANY = 10**9


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


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line, and where it is cut; unless its slices were kept, its bytes are read again for every part."""

    content: Content
    slices: Slices
    split_id: str
    most: int

    def head(self, record: Mapping[str, Any] | None) -> bytes:
        """Return the head; ``record`` is what could be read of the line, None where it is no object."""
        slices = self.slices
        split = {
            "id": self.split_id,
            "bytes": slices.size,
            "sha256": slices.sha256,
            "parts": slices.count,
        }
        return head_of(record, self.content.beginning(BEGINNING_BYTES), split, self.most)

    def without_content(self) -> "LongLine":
        """Return what the parts need: not the line itself where its slices were kept."""
        return replace(self, content=content_in_memory(b"")) if self.slices.escaped else self

    def part(self, number: int) -> bytes:
        """Return one part, from 1."""
        count = self.slices.count
        if self.slices.escaped:
            return _text_part(self.split_id, number, count, self.slices.escaped[number - 1])
        data = self.content.between(*self.slices.bounds(number - 1))
        if self.slices.is_text:
            return _text_part(self.split_id, number, count, _escaped(data))
        return _binary_part(self.split_id, number, count, data)


def long_line(content: Content, start: int, most: int) -> LongLine:
    """Survey a line at offset ``start`` of its file; no part will be above ``most`` bytes.

    Below ``LEAST_BYTES`` there is no room for a head or a part: what Loki takes then is no use.
    """
    most = max(most, LEAST_BYTES)
    longest_id = f"{'0' * _DIGEST_LETTERS}-{start}"
    rooms = [most - len(part(longest_id, _MANY, _MANY, b"")) for part in (_text_part, _binary_part)]
    slices = cut(content.blocks(), *rooms, keep=content.held is not None)
    return LongLine(content, slices, f"{slices.sha256[:_DIGEST_LETTERS]}-{start}", most)


def _text_part(split_id: str, number: int, count: int, escaped: bytes) -> bytes:
    split = orjson.dumps({"id": split_id, "part": number, "of": count})
    return b'{"_split":%b,"data":"%b"}' % (split, escaped)


def _binary_part(split_id: str, number: int, count: int, data: bytes) -> bytes:
    split = {"id": split_id, "part": number, "of": count}
    return orjson.dumps({"_split": split, "data": base64.b64encode(data).decode(), "encoding": "base64"})


def _escaped(data: bytes) -> bytes:
    """Escape a text; of a file that was changed meanwhile it may be none: its hash will tell."""
    try:
        return quote(data)[1:-1]
    except NotTextError:
        return quote(data.decode("utf-8", "replace").encode())[1:-1]
