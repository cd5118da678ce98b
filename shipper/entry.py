"""The values that travel from read to acknowledgement; the ground that all rooms share."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

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


class Print(NamedTuple):
    """A hash of ``length`` bytes at a known place of a file; of no bytes it fits every file."""

    length: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file: ``content`` has no newline, and is ``None`` where it is too long to be held.

    ``size`` is the content's in bytes, ``mark`` the print of the bytes just before the end of ``span``.
    """

    span: Span
    size: int
    content: bytes | None
    mark: Print


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
    head: Print
    offset: int
    mark: Print
    parts_done: int = 0
    line_limit: int = 0
    last_time: int = 0
    size: int = 0
    first_seen: int = 0
    lost_at: int = 0
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What Loki stores: ``timestamp`` in nanoseconds, ``line`` valid UTF-8, both pairs sorted by name.

    A whole line is part 0 of 1. A long line is ``parts`` entries of one span: its head is part 0, and ``cut``
    is the limit in bytes that it was cut to. ``size`` is in bytes as Loki counts them against its limits:
    line, metadata names and values (``pkg/util/entry_size.go``).
    """

    span: Span
    stream: Pairs
    timestamp: int
    line: bytes
    metadata: Pairs
    part: int = 0
    parts: int = 1
    cut: int = 0
    size: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Add up ``size`` once: it is asked for at every station."""
        named = "".join([part for pair in self.metadata for part in pair])
        object.__setattr__(self, "size", len(self.line) + len(named.encode()))
