"""The lines of a session file: the writer's half of the contract. docs/record-format.md is its text.

Each record is a value; ``encode`` turns it into the bytes of one line. Small fields stand first and bulky
ones last, so that a reader of the first few kilobytes knows what the line is.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from proxy.content.dialects.dialect import Count, ToolCall
from proxy.record.chunk import format_time

MESSAGE_HISTORY_DIVERGED = "message_history_diverged"

ErrorKind = Literal[
    "connect",
    "upstream",
    "client_gone",
    "shutdown",
    "interrupted",
    "provider",
    "too_large",
    "timeout",
    "internal",
]
OmitReason = Literal["log_bodies", "opted_out", "queue_full", "low_disk", "spool_failed", "unmasked"]


@dataclass(frozen=True, slots=True)
class Meta:
    """What every record carries. ``ts`` is nanoseconds since the epoch; empty texts are left out."""

    ts: int
    machine: str
    host: str
    session: str
    request_id: str = ""
    agent: str = ""
    parent_agent: str = ""
    caller: str = ""
    """The name of the token that the client showed."""
    client: str = ""
    """The client's address."""


@dataclass(frozen=True, slots=True)
class SessionStart:
    """The first line of a session file."""

    meta: Meta
    provider: str
    upstream: str
    client_session: str = ""


@dataclass(frozen=True, slots=True)
class Fork:
    """Where a session left another one."""

    meta: Meta
    provider: str
    from_seq: int
    parent_session: str


@dataclass(frozen=True, slots=True)
class History:
    """The messages of a request: how many, and the last link of their chain (``proxy.content.messages``).

    ``parent`` is the number of the call of this session that they continue; 0 is none. ``after`` is the
    provider's id of the answer that they go on from, where they repeat nothing.
    """

    n: int
    chain: str
    parent: int = 0
    after: str = ""


@dataclass(frozen=True, slots=True)
class Omitted:
    """A body that is not on record. ``sha256`` is hexadecimal, of the bytes on the wire; empty if unknown."""

    bytes: int
    sha256: str
    reason: OmitReason


@dataclass(frozen=True, slots=True)
class Bulk:
    """A body or chunks as JSON, to be read once; of a body in memory its ``text``, and its hash if known."""

    field: Literal["body", "body_delta", "chunks"]
    encoded: Iterable[bytes]
    base64: bool = False
    text: bytes | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent. ``size`` is in bytes as they came; ``query`` and ``headers`` are masked."""

    meta: Meta
    provider: str
    seq: int
    method: str
    path: str
    headers: Mapping[str, Sequence[str]]
    size: int
    body: Bulk | Omitted
    query: str = ""
    model: str | None = None
    stream: bool | None = None
    history: History | None = None
    request_sha: str = ""
    redacted: int = 0
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Whole milliseconds from the request's start to the first byte of content, and to the end."""

    ttfb_ms: int
    total_ms: int


@dataclass(frozen=True, slots=True)
class ExchangeError:
    """Why an exchange did not end well; the message holds no secret."""

    kind: ErrorKind
    message: str


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. ``status`` is what the client got, 0 where it got none."""

    meta: Meta
    provider: str
    seq: int
    status: int
    headers: Mapping[str, Sequence[str]]
    timing: Timing
    size: int
    body: Bulk | Omitted
    model: str | None = None
    stop_reason: str | None = None
    usage: Mapping[Count, float] | None = None
    tool_calls: Sequence[ToolCall] = ()
    response_id: str | None = None
    reply: str = ""
    """The marks of what was said, hexadecimal (``proxy.content.messages.reply``)."""
    error: ExchangeError | None = None
    redacted: int = 0
    gap: int = 0


Record = SessionStart | Request | Response | Fork

_TYPES: dict[type[Any], str] = {
    SessionStart: "session_start",
    Request: "request",
    Response: "response",
    Fork: "fork",
}


def encode(record: Record) -> Generator[bytes, None, None]:
    """Yield the bytes of a record's line, its newline included; joined they are one JSON object."""
    small = _small(record)
    if isinstance(record, SessionStart | Fork):
        yield orjson.dumps(small) + b"\n"
        return
    body = record.body
    if isinstance(body, Omitted):
        small["omitted"] = body
    elif body.base64:
        small["body_encoding"] = "base64"
    small["headers"] = record.headers
    head = orjson.dumps(small)
    if isinstance(body, Omitted):
        yield head + b"\n"
        return
    yield head[:-1] + b',"' + body.field.encode() + b'":'
    yield from body.encoded
    yield b"}\n"


def interrupted(meta: Meta, provider: str, seq: int) -> Response:
    """Return the response of a call of which the end of a process left only the request."""
    error = ExchangeError("interrupted", "the proxy ended before the call did")
    return Response(meta, provider, seq, 0, {}, Timing(0, 0), 0, Bulk("body", (b'""',)), error=error)


def _small(record: Record) -> dict[str, Any]:
    meta = record.meta
    small: dict[str, Any] = {
        "type": _TYPES[type(record)],
        "_meta": _present(
            ts=format_time(meta.ts),
            machine=meta.machine,
            host=meta.host,
            session=meta.session,
            request_id=meta.request_id,
            agent=meta.agent,
            parent_agent=meta.parent_agent,
            caller=meta.caller,
            client=meta.client,
        ),
        "provider": record.provider,
    }
    match record:
        case SessionStart():
            small |= {"upstream": record.upstream} | _present(client_session=record.client_session)
        case Fork():
            small |= {
                "from_seq": record.from_seq,
                "parent_session": record.parent_session,
                "reason": MESSAGE_HISTORY_DIVERGED,
            }
        case Request():
            small |= _request(record)
        case Response():
            small |= _response(record)
    return small


def _request(record: Request) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "method": record.method,
        "path": record.path,
        **_present(query=record.query, model=record.model),
        **({} if record.stream is None else {"stream": record.stream}),
        **_present(history=_history(record.history), request_sha=record.request_sha),
        "size": record.size,
        **_present(redacted=record.redacted, gap=record.gap),
    }


def _history(history: History | None) -> dict[str, Any]:
    if history is None:
        return {}
    return _present(n=history.n, chain=history.chain, parent=history.parent, after=history.after)


def _response(record: Response) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "status": record.status,
        "timing": record.timing,
        "size": record.size,
        **_present(
            model=record.model,
            stop_reason=record.stop_reason,
            usage=record.usage,
            tool_calls=record.tool_calls,
            response_id=record.response_id,
            reply=record.reply,
            error=record.error,
            redacted=record.redacted,
            gap=record.gap,
        ),
    }


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
