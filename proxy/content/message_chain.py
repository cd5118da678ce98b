"""A conversation's messages as a chain of hashes, so that a later request shows whose continuation it is.

Two requests share a prefix of n messages exactly when their n-th links are equal.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, SupportsBytes

import orjson

from proxy.content.dialects.registry import HISTORY
from proxy.content.document import parse
from proxy.content.streams.thin import thin

LINK_BYTES = 16  # 128 bits: no two histories of one session meet by chance
# Messages whose links are remembered, at about 170 bytes each; up to twice as many until the older ones
# are forgotten. Fifty coding agents have some 400 each.
_REMEMBERED = 16_384


def messages_of(document: dict[str, Any]) -> list[Any]:
    """Return the messages, wherever a dialect has them."""
    named = (document.get(name) for name in HISTORY)
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
        link = _next(link, message)
        links.append(link)
    return links


def _next(link: bytes, message: Any) -> bytes:
    plain = _plain(message)
    try:
        content = orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, or deeper than orjson writes
        content = json.dumps(plain, sort_keys=True).encode()
    return hashlib.sha256(link + content).digest()[:LINK_BYTES]


class Links:
    """Makes the chains of messages that are still JSON, and reads none of them again that it remembers.

    A message is known by the hash of its bytes and of the link before it: 64 bits with a key that nobody
    knows, so that two of so few do not meet.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._latest: dict[int, bytes] = {}
        self._older: dict[int, bytes] = {}

    def chain(self, messages: Iterable[SupportsBytes]) -> list[bytes]:
        """Return what ``chain`` does for the parsed messages, and raise the same.

        Raises ``ValueError`` too.
        """
        links = []
        link = b""
        for message in messages:
            data = bytes(message)
            key = hash((link, data))
            known = self._find(key)
            link = self._keep(key, _next(link, _parsed(data))) if known is None else known
            links.append(link)
        return links

    def check(self, value: bytes) -> None:
        """Raise ``ValueError`` unless a value is JSON."""
        key = hash(value)
        if self._find(key) is None:
            _parsed(value)
            self._keep(key, b"")

    def _find(self, key: int) -> bytes | None:
        link = self._latest.get(key)
        if link is None:
            link = self._older.get(key)
            if link is not None:
                self._keep(key, link)
        return link

    def _keep(self, key: int, link: bytes) -> bytes:
        if len(self._latest) >= self._remembered:
            self._latest, self._older = {}, self._latest
        self._latest[key] = link
        return link


def _parsed(data: bytes) -> Any:
    value = parse(thin(data))
    if value is None and data.strip() != b"null":
        raise ValueError("no JSON")
    return value


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
