"""A session's lines as a conversation: of each request only what no earlier one has said.

Every request repeats the history before it. Messages are told apart by a chain of hashes, so that nothing
but hashes is kept of what has gone by.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

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
from shipper.commands.fetch.message import Block, Message, message_of, messages_in, system_in, tools_in
from shipper.commands.fetch.rebuild import delta_in, new_text
from shipper.commands.fetch.reply import Reply, reply_in, streamed_reply

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
    memory = _Memory()
    for line in lines:
        record = parse_object(line)
        match text_in(record or {}, "type"), record:
            case "session_start", dict():
                yield _opening(record)
            case "fork", dict():
                yield Fork(text_in(record, "parent_session"), number_in(record, "from_seq"))
            case "request", dict():
                yield _asked(record, memory)
            case "response", dict():
                yield _answered(record, memory)
            case _:
                yield Other(line.decode("utf-8", "replace"))


class _New(NamedTuple):
    messages: list[Any]
    note: str


class _Memory:
    """What was said by now: a hash for each message behind those before it, and whose it was first."""

    def __init__(self) -> None:
        self._said: dict[bytes, int] = {}
        self._ends: dict[bytes, int] = {}
        self._answered: set[int] = set()
        self._frames: set[bytes] = set()
        self._last = 0

    def if_new(self, text: str) -> str:
        """Return a system prompt, or tools, where no earlier call had it."""
        digest = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        new = digest not in self._frames
        self._frames.add(digest)
        return text if new else ""

    def answered(self, seq: int) -> None:
        """Take note that what a call was answered is shown."""
        self._answered.add(seq)

    def new(self, seq: int, messages: Sequence[Any]) -> _New:
        """Return the messages that no earlier call had, and how they stand to those that did."""
        links = _chain(messages)
        known = next((n for n in range(len(links), 0, -1) if links[n - 1] in self._said), 0)
        link = links[known - 1] if known else b""
        note = self._note(known, len(links), link)
        parent = self._ends.get(link, 0)
        for each in links[known:]:
            self._said[each] = seq
        if links:
            self._ends.setdefault(links[-1], seq)
        self._last = seq
        told = list(messages[known:])
        while parent in self._answered and told and _is_own(told[0]):
            # The client repeats what the model has said, and that stands there already.
            del told[0]
        return _New(told, note)

    def _note(self, known: int, count: int, link: bytes) -> str:
        if not known:
            return "A history of its own: it continues no call above." if self._last and count > 1 else ""
        parent = self._ends.get(link, 0)
        if known == count:
            return f"The same messages as in call {parent or self._said[link]}." if parent else ""
        if not parent:
            return f"Leaves the history of call {self._said[link]} after its message {known}."
        return f"Continues call {parent}." if parent != self._last else ""


def _chain(messages: Sequence[Any]) -> list[bytes]:
    links: list[bytes] = []
    link = b""
    for message in messages:
        try:
            content = orjson.dumps(_plain(message), option=orjson.OPT_SORT_KEYS)
        except (TypeError, RecursionError):
            # Nested deeper than anything that a client means: told apart by its place alone.
            content = b"%d" % len(links)
        link = hashlib.sha256(link + content).digest()[:16]
        links.append(link)
    return links


def _plain(value: Any) -> Any:
    """Leave out what clients change from turn to turn: cache markers, and text alone or as the only block."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _plain(each) for name, each in value.items() if name != "cache_control"}
    if isinstance(plain.get("content"), str):
        plain["content"] = [{"type": "text", "text": plain["content"]}]
    return plain


def _is_own(message: Any) -> bool:
    return isinstance(message, dict) and message_of(message).role == "assistant"


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


def _asked(record: Json, memory: _Memory) -> Asked:
    meta, seq = object_in(record, "_meta"), number_in(record, "seq")
    body = _new_text(record) or body_of(record)
    document = parse_object(body) if isinstance(body, str) else None
    messages = messages_in(document) if document is not None else None
    new = memory.new(seq, messages) if messages is not None else _New([], "")
    # What was before stands with the provider, and is not repeated.
    note = "" if text_in(document or {}, "previous_response_id") else new.note
    return Asked(
        seq,
        text_in(meta, "ts"),
        text_in(record, "method"),
        text_in(record, "path"),
        text_in(record, "model") or text_in(document or {}, "model"),
        text_in(meta, "agent"),
        memory.if_new(system_in(document)) if document is not None else "",
        memory.if_new(tools_in(document)) if document is not None else "",
        tuple(map(message_of, new.messages)),
        note,
        _left_out(record) or ("" if messages is not None else _shown(body)),
    )


def _answered(record: Json, memory: _Memory) -> Answered:
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
        memory.answered(seq)
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
