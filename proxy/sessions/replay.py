"""What the proxy reads back of its own session files: the small fields at the beginning of each line."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import orjson

from proxy.content.clients import gives_no_reply

# How much of a line is looked at. Of what stands before the headers only a path, a query and a model's name
# can be long, and the connection takes 64 KiB of the first two.
HEAD = 128 << 10

_BULKY = b',"headers":'
_SEQ = re.compile(rb'"provider":"[^"]*","seq":(\d+)')
# What a whole line can end with: a text, chunks, or headers in place of a body.
_ENDS = (b'"}', b"]}", b"}}")

Json = dict[str, Any]

HandleKind = Literal["response_id", "reply", "alias"]
"""``response_id`` is the provider's, of an answer that it keeps; ``reply`` are the marks of an answer and of
what it answered; ``alias`` is the session of a subagent."""


@dataclass(frozen=True, slots=True)
class Handle:
    """What a later call may name of a session besides the session's own name; ``seq`` is the call named."""

    kind: HandleKind
    name: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class SessionHead:
    """What is known of a session by its beginning. ``begun`` is the chain of its first request's messages.

    ``provider`` is the ``scope_of`` its provider and caller.
    """

    upstream: str
    session: str
    provider: str
    client_session: str = ""
    begun: bytes = b""
    parent: str = ""
    path: str = ""
    """Of its first request."""
    handles: tuple[Handle, ...] = ()


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """A request on record: its chain, and the number of the call that it continues, 0 where none."""

    seq: int
    link: bytes
    parent: int
    line: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class LoggedReply:
    """A response on record: the marks of what was said, and the id that a later call may name."""

    seq: int
    reply: bytes = b""
    failed: bool = False
    response_id: str = ""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request on record without a response."""

    session: str
    seq: int
    request_id: str
    agent: str
    parent_agent: str


@dataclass(frozen=True, slots=True)
class Past:
    """What is on record of a session; ``forked_from`` is another session and the call at which it left."""

    seq: int = 0
    calls: tuple[LoggedRequest | LoggedReply, ...] = ()
    forked_from: tuple[str, int] | None = None
    unanswered: tuple[Unanswered, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """The first ``HEAD`` bytes of a line, and the last three of it."""

    head: bytes
    end: bytes


def scope_of(provider: str, caller: str) -> str:
    """Return within what sessions are told apart: calls of different callers never share one."""
    return f"{provider}/{caller}" if caller else provider


def known_of(beginning: bytes, upstream: str, session: str) -> SessionHead | None:
    """Return what the first bytes of a file tell; None unless a session of this proxy begins there."""
    first, *following = beginning.split(b"\n", 3)
    start = _small(first)
    if start is None or start.get("type") != "session_start":
        return None
    scope = scope_of(_text(start, "provider"), _text(_meta(start), "caller"))
    known = SessionHead(upstream, session, scope, _text(start, "client_session"))
    for line in following[:2]:
        small = _small(line) or {}
        if small.get("type") == "fork":
            known = replace(known, parent=_text(small, "parent_session"))
        elif small.get("type") == "request":
            return replace(known, begun=_hex(_object(small, "history"), "chain"), path=_text(small, "path"))
    return known


def past_of(session: str, lines: Iterable[Line]) -> Past:
    """Return what the lines of a session's file tell."""
    past = _Reading(session)
    for line in lines:
        past.take(line)
    return past.finish()


class _Reading:
    def __init__(self, session: str) -> None:
        self._session = session
        self._seq = 0
        self._calls: list[LoggedRequest | LoggedReply] = []
        self._replyless: set[int] = set()
        self._forked_from: tuple[str, int] | None = None
        self._waiting: dict[str, Unanswered] = {}

    def take(self, line: Line) -> None:
        numbered = _SEQ.search(line.head)
        if numbered:
            # A torn line counts too, because its number was assigned.
            self._seq = max(self._seq, int(numbered[1]))
        small = _small(line.head)
        if small is None or not line.end.endswith(_ENDS):
            return
        match small.get("type"):
            case "request":
                self._request(small)
            case "response":
                self._waiting.pop(_text(_meta(small), "request_id"), None)
                self._response(small)
            case "fork":
                self._forked_from = _text(small, "parent_session"), _number(small, "from_seq")

    def _request(self, small: Json) -> None:
        meta, seq = _meta(small), _number(small, "seq")
        request_id = _text(meta, "request_id")
        agents = _text(meta, "agent"), _text(meta, "parent_agent")
        self._waiting[request_id] = Unanswered(self._session, seq, request_id, *agents)
        if gives_no_reply(_text(small, "path")):
            self._replyless.add(seq)
        history = _object(small, "history")
        if link := _hex(history, "chain"):
            line = line_of(agents[0], named="after" in history)
            parent = _number(history, "parent")
            self._calls.append(LoggedRequest(seq, link, parent, line, _text(small, "model")))

    def _response(self, small: Json) -> None:
        seq = _number(small, "seq")
        failed = has_failed(_number(small, "status"), "error" in small) or seq in self._replyless
        response_id = _text(small, "response_id")
        self._calls.append(LoggedReply(seq, _hex(small, "reply"), failed, response_id))

    def finish(self) -> Past:
        return Past(
            self._seq,
            tuple(self._calls),
            self._forked_from,
            tuple(self._waiting.values()),
        )


def line_of(agent: str, *, named: bool) -> str:
    """Return the line (``tree``) of an agent's calls; ``named`` are those that name the answer before."""
    return f"{agent} named" if named else agent


def has_failed(status: int, error: bool) -> bool:  # noqa: FBT001 - the two words of a record
    """Tell whether a call gave no whole answer."""
    return error or not 200 <= status < 300  # noqa: PLR2004 - as HTTP has it


def _small(head: bytes) -> Json | None:
    at = head.find(_BULKY)
    try:
        small = orjson.loads(head if at < 0 else head[:at] + b"}")
    except orjson.JSONDecodeError:
        return None
    return small if isinstance(small, dict) else None


def _hex(holder: Json, name: str) -> bytes:
    try:
        return bytes.fromhex(_text(holder, name))
    except ValueError:
        return b""


def _meta(small: Json) -> Json:
    return _object(small, "_meta")


def _object(small: Json, name: str) -> Json:
    value = small.get(name)
    return value if isinstance(value, dict) else {}


def _text(small: Json, name: str) -> str:
    value = small.get(name)
    return value if isinstance(value, str) else ""


def _number(small: Json, name: str) -> int:
    value = small.get(name)
    return value if isinstance(value, int) else 0
