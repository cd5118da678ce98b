"""A conversation's messages as a chain of hashes, so that a later request shows whose continuation it is.

Two requests share a prefix of n messages exactly when their n-th links are equal. What clients change from
turn to turn makes no difference: system messages, cache markers, reasoning, the shape of a text.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, SupportsBytes

import orjson

from proxy.content.dialects.registry import HISTORY
from proxy.content.document import parse
from proxy.content.messages.reply import Said, is_system, marks, opening, said_by
from proxy.content.streams.thin import LONG, thin

LINK_BYTES = 16  # 128 bits: no two histories of one session meet by chance
# Messages whose links are remembered, at about 250 bytes each; up to twice as many until the older ones
# are forgotten. Fifty coding agents have some 400 each.
_REMEMBERED = 16_384


class Step(NamedTuple):
    """One message of a history.

    ``link`` depends on all messages up to it. ``said`` holds the marks of what an assistant said, and is
    None for everybody else's messages; ``opening`` is a mark of their first line. ``system`` is the hash of a
    system message, which has the link of the message before it.
    """

    link: bytes
    said: bytes | None = None
    opening: bytes = b""
    system: bytes = b""


START = Step(b"")


def messages_of(document: dict[str, Any]) -> list[Any]:
    """Return the messages, wherever a dialect has them."""
    named = (document.get(name) for name in HISTORY)
    messages = next((each for each in named if each is not None), None)
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return messages if isinstance(messages, list) else []


def chain(messages: Sequence[Any]) -> list[Step]:
    """Return one step per message.

    Raises ``TypeError`` for what is nested too deep, and ``RecursionError``.
    """
    steps = []
    step = START
    for message in messages:
        step = _next(step.link, message)
        steps.append(step)
    return steps


def chain_after(name: str, steps: Sequence[Step]) -> list[Step]:
    """Return the steps of messages that go on from an answer that the provider keeps under a name."""
    seed = hashlib.sha256(b"after\0" + name.encode()).digest()
    return [step._replace(link=_digest(seed, step.link)) for step in steps]


def _next(link: bytes, message: Any, whole: Any = None) -> Step:
    """Return a message's step; ``whole`` is the message with its long texts, where it has their hashes."""
    said = said_by(message)
    if said is None:
        content = _written(_plain(message))
        if is_system(message):
            return Step(link, system=_digest(b"", content))
        return Step(_digest(link, content), None, opening(message))
    return Step(_digest(link, _spelled(said)), marks((said_by(whole) or said,)))


def _spelled(said: Said) -> bytes:
    return _written([said.text.strip(), [(call.id, call.name, call.arguments) for call in said.calls]])


def _written(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, or deeper than orjson writes
        return json.dumps(value, sort_keys=True).encode()


def _digest(link: bytes, content: bytes) -> bytes:
    return hashlib.sha256(link + content).digest()[:LINK_BYTES]


class Links:
    """Makes the chains of messages that are still JSON, and reads none of them again that it remembers.

    A message is known by the hash of its bytes and of the link before it: 64 bits with a key that nobody
    knows, so that two of so few do not meet.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._latest: dict[int, Step] = {}
        self._older: dict[int, Step] = {}

    def chain(self, messages: Iterable[SupportsBytes]) -> list[Step]:
        """Return what ``chain`` does for the parsed messages, and raise the same.

        Raises ``ValueError`` too.
        """
        steps = []
        step = START
        for message in messages:
            data = bytes(message)
            key = hash((step.link, data))
            known = self._find(key)
            step = self._keep(key, _read(step.link, data)) if known is None else known
            steps.append(step)
        return steps

    def check(self, value: bytes) -> None:
        """Raise ``ValueError`` unless a value is JSON."""
        key = hash(value)
        if self._find(key) is None:
            _parsed(value)
            self._keep(key, START)

    def _find(self, key: int) -> Step | None:
        step = self._latest.get(key)
        if step is None:
            step = self._older.get(key)
            if step is not None:
                self._keep(key, step)
        return step

    def _keep(self, key: int, step: Step) -> Step:
        if len(self._latest) >= self._remembered:
            self._latest, self._older = {}, self._latest
        self._latest[key] = step
        return step


def _read(link: bytes, data: bytes) -> Step:
    message = _parsed(data)
    whole = parse(data) if len(data) > LONG and said_by(message) is not None else None
    return _next(link, message, whole)


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
