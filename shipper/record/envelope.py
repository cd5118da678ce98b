"""The reader's half of the contract on disk: the small fields of one line, the bulky ones skipped.

Tolerant: unknown types and fields, fields of a wrong kind, lines without ``provider`` (the Go predecessor's)
and lines that are no JSON object all have an envelope.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from shipper.record.content import Content, content_in_memory
from shipper.record.partial_json import record_of

KNOWN_TYPES = frozenset({"session_start", "request", "response", "fork"})
UNPARSED = "unparsed"


class Meta(msgspec.Struct, frozen=True, gc=False):
    """What a line's ``_meta`` tells, each empty where it is not there."""

    ts: str = ""
    machine: str = ""
    host: str = ""
    session: str = ""
    request_id: str = ""
    caller: str = ""


class Usage(msgspec.Struct, frozen=True):
    """What a line's ``usage`` tells; every field may be absent or of any kind."""

    cache_creation_1h_tokens: Any = None
    cache_creation_5m_tokens: Any = None
    cache_creation_input_tokens: Any = None
    cache_read_input_tokens: Any = None
    cost: Any = None
    input_tokens: Any = None
    output_tokens: Any = None
    reasoning_tokens: Any = None


class Timing(msgspec.Struct, frozen=True):
    """What a line's ``timing`` tells; every field may be absent or of any kind."""

    total_ms: Any = None
    ttfb_ms: Any = None


# Of a line that tells none.
NO_USAGE = Usage()
_NO_META, _NO_TIMING = Meta(), Timing()


class Envelope(msgspec.Struct, frozen=True):
    """What a line says of itself; every field may be absent, and what is ``Any`` of any kind."""

    type: Any = None
    meta: Meta = msgspec.field(name="_meta", default=_NO_META)
    provider: Any = None
    upstream: Any = None
    seq: Any = None
    model: Any = None
    stream: Any = None
    status: Any = None
    stop_reason: Any = None
    usage: Usage = NO_USAGE
    tool_calls: Any = None
    timing: Timing = _NO_TIMING
    error: Any = None

    @property
    def log_type(self) -> str:
        """One of the known types, else ``unparsed``: a label must not take any value that comes."""
        return self.type if isinstance(self.type, str) and self.type in KNOWN_TYPES else UNPARSED


_TABLES = frozenset({"meta", "usage", "timing"})
_PLAIN = tuple(name for name in Envelope.__struct_fields__ if name not in _TABLES)
_DECODER = msgspec.json.Decoder(Envelope)


def envelope_of(content: Content) -> Envelope:
    """Return the envelope of a line; one that is no JSON object has an empty one."""
    if content.held is not None:
        try:
            return _DECODER.decode(content.held)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return envelope_of_record(record_of(content) or {})


def leading_envelopes(lines: Iterable[bytes]) -> Iterator[Envelope]:
    """Yield the envelopes of lines up to the first that is no usual record.

    Not ``decode_lines``: it reads two objects on one line as two lines, and one on two lines as one.
    """
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield from map(_DECODER.decode, lines)


def envelope_of_record(record: Mapping[str, Any]) -> Envelope:
    """Return the envelope of a record as it was read; its fields may be of other kinds than is usual."""
    meta = _members(record.get("_meta"), Meta)
    return Envelope(
        meta=Meta(**{name: text for name, text in meta.items() if isinstance(text, str)}),
        usage=Usage(**_members(record.get("usage"), Usage)),
        timing=Timing(**_members(record.get("timing"), Timing)),
        **{name: record.get(name) for name in _PLAIN},
    )


def _members(table: Any, kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {name: table.get(name) for name in kind.__struct_fields__} if isinstance(table, dict) else {}


def read_envelope(line: bytes) -> Envelope:
    """Return the envelope of a line in memory."""
    return envelope_of(content_in_memory(line))
