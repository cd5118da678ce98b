"""The values that travel from read to acknowledgement; the ground that all rooms share.

What there is one of for every line is a ``msgspec.Struct``: made in a fifth of a dataclass' time, and of no
concern to the collector of cycles, as none refers to another.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

import msgspec

from groundwork.utf8 import quote, unquote

Pairs = tuple[tuple[str, str], ...]


class DropReason(StrEnum):
    """Why an entry was given up; the closed set behind ``entries_dropped``."""

    LINE_TOO_LONG = "line_too_long"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"
    TOO_FAR_BEHIND = "too_far_behind"
    METADATA_TOO_LARGE = "metadata_too_large"
    FILE_GONE = "file_gone"


class Span(NamedTuple):
    """The bytes ``[start, end)`` of one file, newline included; ids are unique in a state folder."""

    file_id: int
    start: int
    end: int


class Fingerprint(NamedTuple):
    """A hash of ``length`` bytes at a known place of a file; of no bytes it fits every file."""

    length: int = 0
    digest: str = ""


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a file: ``content`` has no newline, and is ``None`` where it is too long to be held.

    ``size`` is the content's in bytes, ``tail`` are the bytes just before the end of ``span``.
    """

    span: Span
    size: int
    content: bytes | None
    tail: bytes


@dataclass(frozen=True, slots=True)
class FileMemory:
    """What is remembered of a file across restarts.

    ``head`` is the print of its first bytes, ``mark`` that of the bytes just before ``offset``; below
    ``offset`` all is settled, and of the line there the first ``parts_done`` parts, as lines are split at
    ``line_limit``. ``last_time`` is the timestamp of the line before ``offset`` and ``first_seen`` the moment
    that stands for the time of a first line without one, both in nanoseconds; 0 is none. ``lost_at`` is when
    it came out of sight, in seconds since 1970, 0 while it is there; ``gone`` tells that its unread bytes,
    up to ``size``, were given up.
    """

    file_id: int
    path: str
    device: int
    inode: int
    head: Fingerprint
    offset: int
    mark: Fingerprint
    parts_done: int = 0
    line_limit: int = 0
    last_time: int = 0
    size: int = 0
    first_seen: int = 0
    lost_at: int = 0
    gone: bool = False


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What Loki stores: ``timestamp`` in nanoseconds, a line of valid UTF-8, both pairs sorted by name.

    ``text`` is the line, or the JSON string that stands for it in a push; then ``unquoted`` tells the bytes
    that the line has. A whole line is part 0 of 1. A long line is ``parts`` entries of one span: its head is
    part 0, and ``cut`` is the limit in bytes that it was cut to. ``counted`` is the entry's ``size`` where
    its maker has added it up, else 0.
    """

    span: Span
    stream: Pairs
    timestamp: int
    text: bytes
    metadata: Pairs
    part: int = 0
    parts: int = 1
    cut: int = 0
    unquoted: int = 0
    counted: int = 0

    @property
    def size(self) -> int:
        """Bytes as Loki counts them against its limits: line, metadata names and values."""
        return self.counted or entry_size(self.length, self.metadata)

    @property
    def line(self) -> bytes:
        """The line itself; of a quoted one made anew each time."""
        return unquote(self.text) if self.unquoted else self.text

    @property
    def length(self) -> int:
        """How many bytes the line has."""
        return self.unquoted or len(self.text)

    @property
    def quoted(self) -> bytes:
        """The line as a JSON string."""
        return self.text if self.unquoted else quote(self.text)


def entry_size(length: int, metadata: Pairs) -> int:
    """Return the size of an entry whose line has ``length`` bytes (``pkg/util/entry_size.go``)."""
    named = "".join(chain.from_iterable(metadata))
    return length + (len(named) if named.isascii() else len(named.encode()))


def size_of(entries: Iterable[Entry]) -> int:
    """Return the size of entries together, as Loki counts a push."""
    return sum([each.counted or each.size for each in entries])
