"""A line becomes the entries that stand for it in Loki: one, or a head and parts."""

from collections.abc import Mapping
from dataclasses import dataclass

from shipper.entry import Entry, Pairs, Span
from shipper.record.envelope import Envelope
from shipper.record.labels import labels_of, metadata_of
from shipper.record.origin import Origin
from shipper.record.oversize import is_text, split

PART = "part"


@dataclass(frozen=True, slots=True)
class Labelling:
    """What the configuration says of every line; ``most`` is the longest line that Loki takes, in bytes."""

    environment: str
    static: Mapping[str, str]
    most: int


def entries_of(
    span: Span, content: bytes, envelope: Envelope, *, origin: Origin, timestamp: int, labelling: Labelling
) -> list[Entry]:
    """Return what to push for one line; no entry's line is above the limit or invalid UTF-8."""
    stream = labels_of(envelope, origin.provider, labelling.environment, labelling.static)
    metadata = metadata_of(envelope, origin.session, span.start)
    if len(content) <= labelling.most and is_text(content):
        return [Entry(span, stream, timestamp, content, metadata)]
    head, parts, split_id = split(content, span.start, labelling.most)
    total = len(parts) + 1
    first = Entry(span, stream, timestamp, head, _marked(metadata, split_id, 0), 0, total)
    part_stream = tuple((name, PART if name == "log_type" else value) for name, value in stream)
    keys = tuple(
        (name, value)
        for name, value in metadata
        if name in {"level", "session", "offset", "request_id", "seq"}
    )
    return [first] + [
        Entry(span, part_stream, timestamp + number, part, _marked(keys, split_id, number), number, total)
        for number, part in enumerate(parts, start=1)
    ]


def _marked(metadata: Pairs, split_id: str, part: int) -> Pairs:
    return tuple(sorted([*metadata, ("part", str(part)), ("split_id", split_id)]))
