"""A line that Loki does not take whole, as a head and parts that join to its exact bytes.

The head describes the parts: ``_split {id, bytes, sha256, parts}``. Each part is
``{"_split": {"id", "part", "of"}, "data": <slice>}``, and ``"encoding": "base64"`` where the line is no text.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from groundwork.utf8 import NotTextError, quote
from shipper.record.content import Content, content_in_memory
from shipper.record.head import BEGINNING_BYTES, head_of
from shipper.record.slices import Slices, cut

LEAST_BYTES = 1024
_DIGEST_LETTERS = 16
# A number of as many digits as any line could have parts.
_MANY = 10**9


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
