"""A session's lines as a conversation: of each request only what no earlier one has said."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shipper.commands.fetch.document import (
    Json,
    as_text,
    body_of,
    number_in,
    object_in,
    objects_in,
    parse_object,
    text_in,
)
from shipper.commands.fetch.message import Block, Message, message_of, system_in, tools_in
from shipper.commands.fetch.rebuild import delta_in, new_text
from shipper.commands.fetch.reply import Reply, reply_in, streamed_reply
from shipper.commands.fetch.source.history import History, New

TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "reasoning_tokens",
)


@dataclass(frozen=True, slots=True)
class Opening:
    """How the session begins; ``time`` is as on record, RFC 3339."""

    session: str
    time: str
    provider: str
    upstream: str
    machine: str
    client_session: str


@dataclass(frozen=True, slots=True)
class Fork:
    """The session that this one has left, after the call ``from_seq``."""

    parent: str
    from_seq: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: what is new in it. ``note`` says how it stands to earlier ones.

    ``system`` and ``tools``, as JSON, stand where no earlier call had the same. ``plain`` is the body where
    it cannot be read as messages.
    """

    seq: int
    time: str
    method: str
    path: str
    model: str
    agent: str
    system: str
    tools: str
    messages: tuple[Message, ...]
    note: str
    plain: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A response; ``error`` is the proxy's or the provider's word, ``tokens`` counts by name."""

    seq: int
    time: str
    status: int
    first_ms: int
    total_ms: int
    model: str
    stop_reason: str
    tokens: dict[str, int]
    chunks: int
    blocks: tuple[Block, ...]
    error: str
    plain: str


@dataclass(frozen=True, slots=True)
class Other:
    """A line that is no known record."""

    text: str


Turn = Opening | Fork | Asked | Answered | Other


def turns(lines: Iterable[bytes]) -> Iterator[Turn]:
    """Yield what a session's lines say, one by one, in the order of the file."""
    return map(Conversation().turn, lines)


class Conversation:
    """A session that is read line by line, in the order of its file."""

    def __init__(self) -> None:
        self._history = History()

    def turn(self, line: bytes, body: bytes | None = None) -> Turn:
        """Return what a line says; ``body`` is a request's, where the line has only what is new in it."""
        record = parse_object(line)
        match text_in(record or {}, "type"), record:
            case "session_start", dict():
                return _opening(record)
            case "fork", dict():
                return Fork(text_in(record, "parent_session"), number_in(record, "from_seq"))
            case "request", dict():
                return _asked(record, body, self._history)
            case "response", dict():
                return _answered(record, self._history)
            case _:
                return Other(line.decode("utf-8", "replace"))


def _opening(record: Json) -> Opening:
    meta = object_in(record, "_meta")
    return Opening(
        text_in(meta, "session"),
        text_in(meta, "ts"),
        text_in(record, "provider"),
        text_in(record, "upstream"),
        text_in(meta, "machine"),
        text_in(record, "client_session"),
    )


def _asked(record: Json, whole: bytes | None, history: History) -> Asked:
    meta, seq = object_in(record, "_meta"), number_in(record, "seq")
    body = whole or _new_text(record) or body_of(record)
    if isinstance(body, str):
        whole = body.encode("utf-8", "surrogatepass")
    new = history.take(seq, whole) if whole else New(None)
    document = new.document
    # What was before stands with the provider, and is not repeated.
    note = "" if text_in(document or {}, "previous_response_id") else new.note
    return Asked(
        seq,
        text_in(meta, "ts"),
        text_in(record, "method"),
        text_in(record, "path"),
        text_in(record, "model") or text_in(document or {}, "model"),
        text_in(meta, "agent"),
        history.if_new(system_in(document)) if document is not None else "",
        history.if_new(tools_in(document)) if document is not None else "",
        tuple(map(message_of, new.messages or ())),
        note,
        _left_out(record) or ("" if new.messages is not None else _shown(body)),
    )


def _answered(record: Json, history: History) -> Answered:
    body, timing, usage = body_of(record), object_in(record, "timing"), object_in(record, "usage")
    chunks = objects_in(record, "chunks")
    reply: Reply | None = None
    if isinstance(body, str):
        reply = streamed_reply(body) if chunks else reply_in(body)
    elif chunks:
        reply = streamed_reply(body)
    blocks, failure = reply or ((), "")
    seq = number_in(record, "seq")
    if blocks:
        history.answered(seq)
    return Answered(
        seq,
        text_in(object_in(record, "_meta"), "ts"),
        number_in(record, "status"),
        number_in(timing, "ttfb_ms"),
        number_in(timing, "total_ms"),
        text_in(record, "model"),
        text_in(record, "stop_reason"),
        {name: number_in(usage, name) for name in TOKENS if name in usage},
        len(chunks),
        blocks,
        _error(record, failure),
        _left_out(record) or ("" if reply else _shown(as_text(body) if chunks else body)),
    )


def _error(record: Json, failure: str) -> str:
    error = object_in(record, "error")
    told = ": ".join(filter(None, (text_in(error, "kind"), text_in(error, "message"))))
    return "; ".join(filter(None, (told, "" if failure and failure in told else failure)))


def _new_text(record: Json) -> str:
    """Return what is new in a body that could not be rebuilt."""
    delta = delta_in(record)
    return new_text(delta) if delta is not None else ""


def _shown(body: str | bytes) -> str:
    return body if isinstance(body, str) else f"[{len(body):,} bytes that are no text]"


def _left_out(record: Json) -> str:
    omitted = object_in(record, "omitted")
    return (
        f"[{number_in(omitted, 'bytes'):,} bytes left out: {text_in(omitted, 'reason')}]" if omitted else ""
    )
