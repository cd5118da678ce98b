"""A conversation's messages as a chain of hashes, so that a later request shows whose continuation it is.

Two requests share a prefix of n messages exactly when their n-th links are equal.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

_LINK_BYTES = 16  # 128 bits: no two histories of one session meet by chance


def messages_of(document: dict[str, Any]) -> list[Any]:
    """Return the messages of a request: Anthropic and chat ``messages``, or the Responses ``input``."""
    messages = document.get("messages")
    if messages is None:
        messages = document.get("input")
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return messages if isinstance(messages, list) else []


def chain(messages: Sequence[Any]) -> list[str]:
    """Return one link per message; each depends on all messages up to it.

    Cache markers, and whether a text stands alone or as the only block, make no difference, as clients
    move the markers from turn to turn.
    """
    links = []
    link = b""
    for message in messages:
        content = orjson.dumps(_plain(message), option=orjson.OPT_SORT_KEYS)
        link = hashlib.sha256(link + content).digest()[:_LINK_BYTES]
        links.append(link.hex())
    return links


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    plain = {name: _plain(each) for name, each in value.items() if name != "cache_control"}
    content = plain.get("content")
    if isinstance(content, str):
        plain["content"] = [{"type": "text", "text": content}]
    return plain
