"""What a call says of its client: whose session it is of, and which agent makes it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, TypeGuard

from proxy.content.redact.headers import mask_headers
from proxy.content.redact.shapes import looks_secret
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
    b"x-opencode-session",
)
_ANSWER = re.compile(r"/(?:responses|interactions)/([^/]+)(?:/[a-z_]+)?/?$")
_TELLING_HEADERS = frozenset({b"user-agent", b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
# What users set, for this proxy or for another one between.
_OWN_HEADERS = (
    b"x-session-id",
    b"helicone-session-id",
    b"x-litellm-session-id",
    b"x-litellm-trace-id",
    b"x-session-affinity",
)
_OWN_FIELDS = ("session_id", "litellm_session_id", "litellm_trace_id")
_METADATA = ("session_id", "thread_id", "conversation_id")
# A call that goes on from an answer which the provider keeps names it here.
_PREVIOUS = ("previous_response_id", "previous_interaction_id")
# The fields of a body that are looked at.
TELLING = frozenset(
    {"metadata", "litellm_metadata", "conversation", "prompt_cache_key", "thread", *_PREVIOUS, *_OWN_FIELDS}
)


@dataclass(frozen=True, slots=True)
class Client:
    """What a call says of itself. ``key`` is empty where the client names no session.

    ``parent_key`` is the session that a subagent with a session of its own works for. ``previous`` is the
    provider's id of the answer that the call goes on from; ``kept`` says that the provider keeps this call's
    answer too. ``is_retry`` says that the same call was made before and failed.
    """

    key: str = ""
    previous: str = ""
    agent: str = ""
    parent_agent: str = ""
    parent_key: str = ""
    kept: bool = False
    is_retry: bool = False


def identify(path: str, headers: RawHeaders, document: dict[str, Any] | None) -> Client:
    """Return what a call says of its session.

    The first valid candidate wins: what coding agents send for the purpose, then what the APIs define,
    then what users set. Ids made anew for each call (``X-Client-Request-Id``) and the end user's name
    (``user``) are no keys.
    """
    lower = {name.lower(): value.decode("latin-1") for name, value in headers}
    body = document or {}
    key = next((each for each in _candidates(path, lower, body) if _is_key(each)), "")
    agent, parent_agent, parent_key = _agents(lower, key)
    return Client(
        key=key,
        previous=_previous(body),
        agent=agent,
        parent_agent=parent_agent,
        parent_key=parent_key,
        kept=keeps_answers(path) or isinstance(body.get("thread"), dict),
        is_retry=lower.get(b"x-stainless-retry-count", "0") != "0",
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


def keeps_answers(path: str) -> bool:
    """Tell a call whose answer the provider keeps, so that the next call may name it."""
    return path.rstrip("/").endswith(("/responses", "/interactions"))


def gives_no_reply(path: str) -> bool:
    """Tell a call that repeats a conversation only to have it made shorter."""
    return path.rstrip("/").endswith("/compact")


def _agents(headers: dict[bytes, str], key: str) -> tuple[str, str, str]:
    """Return the agent, the agent that it works for, and that one's session where it is another."""
    if agent := _id(headers.get(b"x-claude-code-agent-id")):
        return agent, _id(headers.get(b"x-claude-code-parent-agent-id")), ""
    parent = _id(headers.get(b"x-codex-parent-thread-id"))
    kind = _id(headers.get(b"x-openai-subagent"))
    if parent or kind:
        thread = _id(headers.get(b"thread-id")) or _id(headers.get(b"thread_id"))
        named = thread if thread and (parent or thread != key) else kind
        return named or kind, parent if parent != key else "", parent if parent != key else ""
    parent = _id(headers.get(b"x-parent-session-id"))
    if parent and key and parent != key:
        return key, parent, parent
    return "", "", ""


def _previous(body: dict[str, Any]) -> str:
    thread = body.get("thread")
    named = [body.get(name) for name in _PREVIOUS]
    if isinstance(thread, dict):  # Anthropic keeps messages in threads
        named.append(thread.get("previous_message_id"))
    return next(filter(None, map(_id, named)), "")


def _candidates(path: str, headers: dict[bytes, str], body: dict[str, Any]) -> Iterator[Any]:
    yield from (headers.get(name) for name in _CLIENT_HEADERS)
    metadata = _object(body, "metadata")
    yield from _user_id(metadata.get("user_id"))
    yield from _THREAD.findall(path)
    conversation = body.get("conversation")
    yield conversation.get("id") if isinstance(conversation, dict) else conversation
    yield from (metadata.get(name) for name in _METADATA)
    yield from (body.get(name) for name in _OWN_FIELDS)
    yield from (_object(body, "litellm_metadata").get(name) for name in _METADATA)
    yield from (headers.get(name) for name in _OWN_HEADERS)
    if not _previous(body):
        # Scripts share one cache key between conversations; a chain of responses tells them apart.
        yield body.get("prompt_cache_key")


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


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
