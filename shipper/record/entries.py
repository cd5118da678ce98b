"""A line becomes the entries that stand for it in Loki: one, or a head and parts.

Ordinary lines of one read become entries by the run: short enough for Loki, UTF-8, a JSON object with fields
of the usual kinds, and stamped. ``entries_of`` makes the same entry of each of them, and takes all others.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import msgspec
from msgspec.structs import replace

from groundwork.utf8 import NotTextError, is_text, quote
from shipper.entry import Entry, Pairs, Span, entry_size
from shipper.record.content import Content
from shipper.record.envelope import Envelope, leading_envelopes
from shipper.record.labels import labels_of, metadata_of
from shipper.record.partial_json import beginnings_of
from shipper.record.provider import Origin
from shipper.record.split import LongLine, long_line
from shipper.record.timestamp import parse_time

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
            size = entry_size(self.first.length, metadata)
            return replace(
                self.first, metadata=metadata, parts=self.count, cut=self.labelling.most, counted=size
            )
        line = self.long.part(part)
        metadata = _joined((pair for pair in self.first.metadata if pair[0] in _PART_METADATA), split)
        return Entry(
            self.first.span,
            tuple((name, PART if name == "log_type" else value) for name, value in self.first.stream),
            self.first.timestamp + part,
            self.labelling.text_of(line),
            metadata,
            part,
            self.count,
            self.labelling.most,
            len(line) if self.labelling.quotes else 0,
            entry_size(len(line), metadata),
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
        text, size = labelling.text_of(line), entry_size(len(line), metadata)
        unquoted = len(line) if labelling.quotes else 0
        return Entry(span, stream, timestamp, text, metadata, unquoted=unquoted, counted=size)

    if content.held is not None and content.size <= labelling.most:
        with suppress(NotTextError):
            return Entries(entry(content.held), labelling)
    line = long_line(content, span.start, labelling.most)
    head = line.head(beginnings_of(content) if record is None else record)
    return Entries(entry(head), labelling, line.without_content())


def told_time(line: bytes) -> int:
    """Return the time that a usual record tells, in nanoseconds; 0 for any other line."""
    envelope = next(leading_envelopes((line,)), None)
    return 0 if envelope is None else parse_time(envelope.meta.ts) or 0


def times_before(limit: int, lines: Sequence[bytes | None]) -> list[int]:
    """Return the times of the leading usual records before ``limit``, in nanoseconds; 0 is no limit."""
    if not limit or lines[0] is None or told_time(lines[0]) >= limit:
        return []
    held = takewhile(lambda line: line is not None, lines)
    times = (parse_time(each.meta.ts) or 0 for each in leading_envelopes(filter(None, held)))
    return list(takewhile(lambda time: 0 < time < limit, times))


def ordinary_entries(
    file_id: int,
    lines: Sequence[bytes],
    borders: tuple[Sequence[int], Sequence[int]],
    *,
    latest: int,
    labelling: Labelling,
    origin: Callable[[Envelope], Origin],
) -> list[Entry]:
    """Return the entries of the leading ordinary lines that are not stamped after ``latest``, in nanoseconds.

    No line may be above the limit. ``borders`` are where each line begins and where the next one does;
    ``origin`` is asked once for lines that tell the same provider and host.
    """
    entries: list[Entry] = []
    streams: dict[tuple[str, str, str, str], tuple[Pairs, str]] = {}
    quotes = labelling.quotes
    for envelope, line, start, end in zip(leading_envelopes(lines), lines, *borders, strict=False):
        meta, provider, kind = envelope.meta, envelope.provider, envelope.type
        time = parse_time(meta.ts)
        if time is None or not 0 < time <= latest:
            break
        key = (
            meta.machine,
            meta.host,
            provider if isinstance(provider, str) else "",
            kind if isinstance(kind, str) else "",
        )
        if key not in streams:
            from_where = origin(envelope)
            stream = labels_of(envelope, from_where.provider, labelling.environment, labelling.static)
            streams[key] = stream, from_where.session
        stream, session = streams[key]
        try:
            text = labelling.text_of(line)
        except NotTextError:
            break
        length, metadata = len(line), metadata_of(envelope, session, start)
        size = entry_size(length, metadata)
        span, unquoted = Span(file_id, start, end), length if quotes else 0
        entries.append(Entry(span, stream, time, text, metadata, 0, 1, 0, unquoted, size))
    return entries


def _joined(metadata: Iterable[tuple[str, str]], more: Pairs) -> Pairs:
    return tuple(sorted([*metadata, *more]))
