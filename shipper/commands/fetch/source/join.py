"""The rows that Loki has of one line of a file, back to its exact bytes."""

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from shipper.loki.query.query import Row

# A split's id begins with so much of its line's SHA-256.
_DIGEST_LETTERS = 16


class BrokenLineError(Exception):
    """The rows are not all of one line; the text says what is wrong."""


class _Head(msgspec.Struct):
    id: str
    sha256: str
    parts: int


class _HeadLine(msgspec.Struct):
    split: _Head = msgspec.field(name="_split")


class _Place(msgspec.Struct):
    id: str
    part: int
    of: int


class _PartLine(msgspec.Struct):
    split: _Place = msgspec.field(name="_split")
    data: str
    encoding: str = ""


_HEADS = msgspec.json.Decoder(_HeadLine)
_PARTS = msgspec.json.Decoder(_PartLine)
# What was split at one limit, and perhaps again at another.
_Splits = dict[tuple[str, int], dict[int, bytes]]


def join(rows: Iterable[Row]) -> bytes:
    """Return the line that these rows of one place in a file stand for; copies count once.

    Raises ``BrokenLineError`` where a part is missing, the hash is wrong, or there are two lines.
    """
    split: list[Row] = []
    lines: set[bytes] = set()
    for row in rows:
        if "split_id" in row.fields:
            split.append(row)
        else:
            lines.add(row.line.encode())
    if not lines:
        heads, splits = _read(split)
        lines.update(_whole(heads, splits))
        if not lines:
            raise BrokenLineError(_trouble(heads, splits))
    if len(lines) > 1:
        raise BrokenLineError(f"there are {len(lines)} different lines at this offset")
    return lines.pop()


def _read(rows: Iterable[Row]) -> tuple[list[_Head], _Splits]:
    heads: list[_Head] = []
    splits: _Splits = defaultdict(dict)
    try:
        for row in rows:
            if row.fields.get("part") == "0":
                heads.append(_HEADS.decode(row.line).split)
            else:
                part = _PARTS.decode(row.line)
                splits[part.split.id, part.split.of][part.split.part] = _bytes_of(part)
    except ValueError as exc:
        raise BrokenLineError(f"a head or part cannot be read: {exc}") from exc
    return heads, splits


def _bytes_of(part: _PartLine) -> bytes:
    return base64.b64decode(part.data, validate=True) if part.encoding == "base64" else part.data.encode()


def _whole(heads: list[_Head], splits: _Splits) -> Iterator[bytes]:
    """Yield the lines of which every part is there, as the hash in the head, or in the id, tells."""
    for (split_id, _), parts in splits.items():
        line = b"".join(parts[number] for number in sorted(parts))
        told = next((head.sha256 for head in heads if head.id == split_id), split_id[:_DIGEST_LETTERS])
        if hashlib.sha256(line).hexdigest().startswith(told):
            yield line


def _trouble(heads: list[_Head], splits: _Splits) -> str:
    counts = {(head.id, head.parts) for head in heads} | splits.keys()
    split_id, count = max(counts, key=lambda each: len(splits.get(each, ())))
    missing = sorted(set(range(1, count + 1)) - splits.get((split_id, count), {}).keys())
    if not missing:
        return "its parts do not join to the line that was split: the SHA-256 differs"
    some = ", ".join(map(str, missing[:10])) + (", ..." if len(missing) > 10 else "")  # noqa: PLR2004 - enough to see
    return f"{len(missing)} of its {count} parts are not in Loki: {some}"
