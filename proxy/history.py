"""A conversation's messages as a chain of hashes, so that a later request shows whose continuation it is.

Two requests share a prefix of n messages exactly when their n-th links are equal.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

LINK_BYTES = 16  # 128 bits: no two histories of one session meet by chance


def messages_of(document: dict[str, Any]) -> list[Any]:
    """Return the messages: Anthropic and chat ``messages``, Responses ``input``, Gemini ``contents``."""
    named = (document.get(name) for name in ("messages", "input", "contents"))
    messages = next((each for each in named if each is not None), None)
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return messages if isinstance(messages, list) else []


def chain(messages: Sequence[Any]) -> list[bytes]:
    """Return one link per message; each depends on all messages up to it.

    Cache markers, and whether a text stands alone or as the only block, make no difference, as clients
    move the markers from turn to turn. Raises ``TypeError`` for what is nested too deep, and
    ``RecursionError``.
    """
    links = []
    link = b""
    for message in messages:
        content = orjson.dumps(_plain(message), option=orjson.OPT_SORT_KEYS)
        link = hashlib.sha256(link + content).digest()[:LINK_BYTES]
        links.append(link)
    return links


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value if not _is_marker(each)]
    if not isinstance(value, dict):
        return value
    plain = {name: _plain(each) for name, each in value.items() if name != "cache_control"}
    content = plain.get("content")
    if isinstance(content, str):
        plain["content"] = [{"type": "text", "text": content}]
    return plain


def _is_marker(block: Any) -> bool:
    """Bedrock's cache markers are blocks of their own."""
    return isinstance(block, dict) and block.keys() == {"cachePoint"}
