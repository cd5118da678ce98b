"""Which session a call belongs to, by what its client says; sequence numbers within it.

Holds the latest sessions in memory, bounded; knows no file.
"""

import json
import re
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeGuard, TypeVar

from proxy.redact import looks_secret
from proxy.routing import RawHeaders

# What is kept of the latest sessions, and of the latest response ids that lead to them.
REMEMBERED = 10_000

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_OLD_USER_ID = re.compile(r".*_session_(.+)", re.DOTALL)
_THREAD = re.compile(r"/threads/([^/]+)/")
_CLIENT_HEADERS = (
    b"x-claude-code-session-id",
    b"session_id",
    b"session-id",
    b"thread_id",
    b"thread-id",
)
_OWN_HEADER = b"x-session-id"

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class Client:
    """What a call says of itself. ``key`` is empty where the client names no session."""

    key: str = ""
    previous_response: str = ""
    agent: str = ""
    parent_agent: str = ""


@dataclass(slots=True)
class Session:
    """One session: its name, and the number of its latest call."""

    name: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a call was put. ``is_new`` says that the session starts with it."""

    session: Session
    seq: int
    is_new: bool


class _Latest(Generic[_K, _V]):
    """The values used latest; the oldest is forgotten past the limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K) -> _V | None:
        value = self._held.get(key)
        if value is not None:
            self._held.move_to_end(key)
        return value

    def put(self, key: _K, value: _V) -> None:
        self._held[key] = value
        self._held.move_to_end(key)
        if len(self._held) > self._limit:
            self._held.popitem(last=False)


class Sessions:
    """The sessions of one proxy. Keys of different providers or upstreams never meet."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._by_key: _Latest[tuple[str, str, str], Session] = _Latest(remembered)
        self._by_response: _Latest[tuple[str, str, str], Session] = _Latest(remembered)

    def place(self, provider: str, upstream: str, client: Client, fresh: str) -> Placement:
        """Give a call its session and number; ``fresh`` is the name for a session that starts with it."""
        found = self._find(provider, upstream, client)
        session = found or Session(fresh)
        session.seq += 1
        if client.key:
            self._by_key.put((provider, upstream, client.key), session)
        return Placement(session, session.seq, found is None)

    def answered(self, provider: str, upstream: str, session: Session, response_id: str | None) -> None:
        """Note a response's id, by which a later call may name it as the one before."""
        if response_id:
            self._by_response.put((provider, upstream, response_id), session)

    def _find(self, provider: str, upstream: str, client: Client) -> Session | None:
        found = None
        if client.key:
            found = self._by_key.get((provider, upstream, client.key))
        if found is None and client.previous_response:
            found = self._by_response.get((provider, upstream, client.previous_response))
        return found


def session_name(now_ns: int, token: str) -> str:
    """Return ``YYYYMMDD-HHMMSS-<token>`` in UTC; ``token`` is 8 hexadecimal digits."""
    return f"{datetime.fromtimestamp(now_ns // 10**9, UTC):%Y%m%d-%H%M%S}-{token}"


def identify(path: str, headers: RawHeaders, document: dict[str, Any] | None) -> Client:
    """Return what a call says of its session.

    The first valid candidate wins: what coding agents send for the purpose, then what the APIs define,
    then what users set. Ids made anew for each call (``X-Client-Request-Id``) and the end user's name
    (``user``) are no keys.
    """
    lower = {name.lower(): value.decode("latin-1") for name, value in headers}
    body = document or {}
    return Client(
        key=next((each for each in _candidates(path, lower, body) if _is_key(each)), ""),
        previous_response=_id(body.get("previous_response_id")),
        agent=_id(lower.get(b"x-claude-code-agent-id")),
        parent_agent=_id(lower.get(b"x-claude-code-parent-agent-id")),
    )


def _candidates(path: str, headers: dict[bytes, str], body: dict[str, Any]) -> Iterator[Any]:
    yield from (headers.get(name) for name in _CLIENT_HEADERS)
    metadata = body.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    yield from _user_id(metadata.get("user_id"))
    yield from _THREAD.findall(path)
    conversation = body.get("conversation")
    yield conversation.get("id") if isinstance(conversation, dict) else conversation
    yield metadata.get("session_id")
    yield headers.get(_OWN_HEADER)
    if not body.get("previous_response_id"):
        # Scripts share one cache key between conversations; a chain of responses tells them apart.
        yield body.get("prompt_cache_key")


def _user_id(user_id: Any) -> Iterator[Any]:
    """Claude Code since 2.1.78 sends JSON with ``session_id``; before, a text ending ``_session_<id>``."""
    if not isinstance(user_id, str):
        return
    if user_id.startswith("{"):
        try:
            parsed = json.loads(user_id)
        except ValueError:
            return
        yield parsed.get("session_id") if isinstance(parsed, dict) else None
    elif match := _OLD_USER_ID.fullmatch(user_id):
        yield match[1]


def _is_key(candidate: Any) -> TypeGuard[str]:
    return isinstance(candidate, str) and bool(_KEY.fullmatch(candidate)) and not looks_secret(candidate)


def _id(value: Any) -> str:
    return value if _is_key(value) else ""
