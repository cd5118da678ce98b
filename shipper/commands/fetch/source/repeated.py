"""Bodies that begin as an earlier one: parsed from the first message on in which they differ.

Every request repeats the history before it, so that parsing each body whole takes a long session the square
of its length. What two bodies share is found by comparing bytes, which is many times as fast.
"""

from bisect import bisect_right
from typing import NamedTuple

import msgspec

from shipper.commands.fetch.document import Json, parse_object
from shipper.commands.fetch.message import name_of_messages

_BLOCK = 64 << 10
# Subagents take turns, each with a history of its own. A body goes on, whatever its size.
_MOST_BODIES, _MOST_BYTES = 4, 16 << 20
_SPACE = b" \t\r\n"
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_BROKEN = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Body(NamedTuple):
    """Bytes, where the list ``name`` begins, where each message in it ends, and the link of each."""

    data: bytes
    name: str
    start: int
    ends: list[int]
    links: list[bytes]


class Read(NamedTuple):
    """A body: ``document`` lacks the first messages, which an earlier body had with these ``links``."""

    document: Json | None
    links: list[bytes]
    text: bytes
    before: _Body | None


class Repeated:
    """The latest bodies of one session."""

    def __init__(self) -> None:
        self._bodies: list[_Body] = []

    def read(self, data: bytes) -> Read:
        """Parse a body."""
        shared = ((common(each.data, data), each) for each in reversed(self._bodies))
        length, body = max(shared, key=lambda each: each[0], default=(0, None))
        known = bisect_right(body.ends, length) if body else 0
        if body is not None and known:
            before = body._replace(ends=body.ends[:known], links=body.links[:known])
            rest = data[before.ends[-1] :].lstrip(_SPACE).removeprefix(b",")
            text = data[: body.start + 1] + rest
            document = parse_object(text)
            if document is not None and name_of_messages(document) == body.name:
                return Read(document, before.links, text, before)
        return Read(parse_object(data), [], data, None)

    def keep(self, data: bytes, read: Read, links: list[bytes]) -> None:
        """Keep a body that was read for comparison with later ones; ``links`` are of all its messages."""
        document, before = read.document, read.before
        if before is not None:
            # Its beginning is in the new one.
            self._bodies = [each for each in self._bodies if each.data is not before.data]
        try:
            body = _placed(data, name_of_messages(document or {}), read, links)
        except _BROKEN:
            body = None
        if body is not None:
            self._bodies.append(body)
        while len(self._bodies) > 1 and (
            len(self._bodies) > _MOST_BODIES or sum(len(each.data) for each in self._bodies) > _MOST_BYTES
        ):
            del self._bodies[0]


def _placed(data: bytes, name: str, read: Read, links: list[bytes]) -> _Body | None:
    """Return a body with the places of its messages; None where they cannot be told."""
    items = _MEMBERS.decode(read.text).get(name)
    if items is None:
        return None
    if read.before is not None:
        start, ends = read.before.start, list(read.before.ends)
    else:
        start, ends = _start(data, name, bytes(items)), []
    at = (ends or [start + 1])[-1]
    for item in map(bytes, _ITEMS.decode(items)) if start >= 0 else ():
        at = data.find(item, at)
        ends.append(at + len(item))
        at = ends[-1]
    return _Body(data, name, start, ends, links) if len(ends) == len(links) > 0 else None


def _start(data: bytes, name: str, items: bytes) -> int:
    """Return where the list of messages begins; -1 where a member before it holds the same."""
    at = data.find(items)
    without = _MEMBERS.decode(data[:at] + b"[]" + data[at + len(items) :])
    return at if bytes(without[name]) == b"[]" else -1


def common(one: bytes, other: bytes) -> int:
    """Return how many bytes two bodies begin with in common."""
    at, most = 0, min(len(one), len(other))
    while at < most and one.startswith(other[at : at + _BLOCK], at):
        at += _BLOCK
    low, high = at, min(at + _BLOCK, most)
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[at:middle], at):
            low = middle
        else:
            high = middle - 1
    return min(low, most)
