"""What a call says of its client: whose session it is of, and which agent makes it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeGuard

from proxy.content.redact import looks_secret, mask_headers
from proxy.wire.routing import RawHeaders

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
_ANSWER = re.compile(r"/(?:responses|interactions)/([^/]+)(?:/[a-z_]+)?/?$")
_TELLING_HEADERS = frozenset({b"user-agent", b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
_OWN_HEADER = b"x-session-id"
# The fields of a body that are looked at.
TELLING = frozenset({"metadata", "conversation", "previous_response_id", "prompt_cache_key"})


@dataclass(frozen=True, slots=True)
class Client:
    """What a call says of itself. ``key`` is empty where the client names no session."""

    key: str = ""
    previous_response: str = ""
    agent: str = ""
    parent_agent: str = ""


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


def of_the_day(headers: RawHeaders, day: str) -> str:
    """Return the key of a client's calls without a conversation, which share a session a ``day``.

    It is told by its user agent and by what is shown of its credentials, which is no secret.
    """
    shown = mask_headers([(name, value) for name, value in headers if name.lower() in _TELLING_HEADERS])
    digest = blake2b(repr(sorted(shown.items())).encode(), digest_size=4).hexdigest()
    return f"calls-{day}-{digest}"


def named_answer(path: str) -> str:
    """Return the id of the answer that a path fetches, empty where it fetches none."""
    found = _ANSWER.search(path)
    return _id(found[1]) if found else ""


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
        except (ValueError, RecursionError):
            return
        yield parsed.get("session_id") if isinstance(parsed, dict) else None
    elif match := _OLD_USER_ID.fullmatch(user_id):
        yield match[1]


def _is_key(candidate: Any) -> TypeGuard[str]:
    return isinstance(candidate, str) and bool(_KEY.fullmatch(candidate)) and not looks_secret(candidate)


def _id(value: Any) -> str:
    return value if _is_key(value) else ""
