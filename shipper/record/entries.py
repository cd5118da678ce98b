"""A line becomes the entries that stand for it in Loki: one, or a head and parts."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from groundwork.utf8 import NotTextError, is_text, quote
from shipper.entry import Entry, Pairs, Span
from shipper.record.content import Content
from shipper.record.envelope import Envelope
from shipper.record.labels import labels_of, metadata_of
from shipper.record.partial_json import beginnings_of
from shipper.record.provider import Origin
from shipper.record.split import LongLine, long_line

PART = "part"
# What a part has of its line's metadata: enough to find it.
_PART_METADATA = frozenset({"level", "session", "offset", "request_id", "seq"})


@dataclass(frozen=True, slots=True)
class Labelling:
    """What the configuration says of every line.

    ``most`` is the longest line that Loki takes, in bytes; ``quotes`` tells that pushes carry JSON strings.
    """

    environment: str
    static: Mapping[str, str]
    most: int
    quotes: bool

    def text_of(self, line: bytes) -> bytes:
        """Return a line as its entry holds it. Raises ``NotTextError`` for one that is not UTF-8."""
        if self.quotes:
            return quote(line)
        if is_text(line):
            return line
        raise NotTextError


class Entries(msgspec.Struct, frozen=True, gc=False):
    """What to push for one line: ``count`` entries, each made when it is asked for.

    ``first`` is the line itself, or the head of a ``long`` one as it would be without parts.
    """

    first: Entry
    labelling: Labelling
    long: LongLine | None = None

    @property
    def count(self) -> int:
        """How many entries the line is."""
        return self.long.slices.count + 1 if self.long else 1

    def entry(self, part: int) -> Entry:
        """Return one entry, from 0; of a long line raises what reading raises."""
        if self.long is None:
            return self.first
        split = (("part", str(part)), ("split_id", self.long.split_id))
        if part == 0:
            metadata = _joined(self.first.metadata, split)
            return replace(self.first, metadata=metadata, parts=self.count, cut=self.labelling.most)
        line = self.long.part(part)
        return Entry(
            self.first.span,
            tuple((name, PART if name == "log_type" else value) for name, value in self.first.stream),
            self.first.timestamp + part,
            self.labelling.text_of(line),
            _joined((pair for pair in self.first.metadata if pair[0] in _PART_METADATA), split),
            part,
            self.count,
            self.labelling.most,
            len(line) if self.labelling.quotes else 0,
        )


def entries_of(
    span: Span,
    content: Content,
    envelope: Envelope,
    *,
    origin: Origin,
    timestamp: int,
    labelling: Labelling,
    record: Mapping[str, Any] | None = None,
) -> Entries:
    """Return what to push for one line; no entry's line is above the limit or invalid UTF-8.

    A long line is read once here, and again part by part; ``record`` are its beginnings, where they are known
    already. Raises what ``content.read`` raises.
    """
    stream = labels_of(envelope, origin.provider, labelling.environment, labelling.static)
    metadata = metadata_of(envelope, origin.session, span.start)

    def entry(line: bytes) -> Entry:
        unquoted = len(line) if labelling.quotes else 0
        return Entry(span, stream, timestamp, labelling.text_of(line), metadata, unquoted=unquoted)

    if content.held is not None and content.size <= labelling.most:
        with suppress(NotTextError):
            return Entries(entry(content.held), labelling)
    line = long_line(content, span.start, labelling.most)
    head = line.head(beginnings_of(content) if record is None else record)
    return Entries(entry(head), labelling, line.without_content())


def _joined(metadata: Iterable[tuple[str, str]], more: Pairs) -> Pairs:
    return tuple(sorted([*metadata, *more]))
