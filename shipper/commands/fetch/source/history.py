"""What the requests of a session repeat: of each body only the messages that no earlier one had.

A message is known by a chain of hashes over it and all before it, so that nothing but hashes is kept of what
has gone by, and the latest bodies.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from shipper.commands.fetch.document import Json
from shipper.commands.fetch.message import message_of, messages_in
from shipper.commands.fetch.source.repeated import Repeated


class New(NamedTuple):
    """A body's messages that no earlier one had, None where it has none at all; ``note`` says how they stand.

    ``document`` is the body, and may lack messages that were before.
    """

    document: Json | None
    messages: list[Any] | None = None
    note: str = ""


class History:
    """What was said by now: a hash for each message behind those before it, and whose it was first."""

    def __init__(self) -> None:
        self._said: dict[bytes, int] = {}
        self._ends: dict[bytes, int] = {}
        self._answered: set[int] = set()
        self._frames: set[bytes] = set()
        self._repeated = Repeated()
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

    def take(self, seq: int, data: bytes) -> New:
        """Return what is new in the body of a call."""
        read = self._repeated.read(data)
        messages = messages_in(read.document) if read.document is not None else None
        if messages is None:
            return New(read.document)
        links = _chain(messages, read.links)
        self._repeated.keep(data, read, links)
        return self._new(seq, messages, links)._replace(document=read.document)

    def _new(self, seq: int, messages: Sequence[Any], links: list[bytes]) -> New:
        """Return the messages that no earlier call had; ``messages`` are the last of those with ``links``."""
        known = next((n for n in range(len(links), 0, -1) if links[n - 1] in self._said), 0)
        link = links[known - 1] if known else b""
        note = self._note(known, len(links), link)
        parent = self._ends.get(link, 0)
        for each in links[known:]:
            self._said[each] = seq
        if links:
            self._ends.setdefault(links[-1], seq)
        self._last = seq
        told = list(messages[known - (len(links) - len(messages)) :])
        while parent in self._answered and told and _is_own(told[0]):
            # The client repeats what the model has said, and that stands there already.
            del told[0]
        return New(None, told, note)

    def _note(self, known: int, count: int, link: bytes) -> str:
        if not known:
            return "A history of its own: it continues no call above." if self._last and count > 1 else ""
        parent = self._ends.get(link, 0)
        if known == count:
            return f"The same messages as in call {parent or self._said[link]}." if parent else ""
        if not parent:
            return f"Leaves the history of call {self._said[link]} after its message {known}."
        return f"Continues call {parent}." if parent != self._last else ""


def _chain(messages: Sequence[Any], before: list[bytes]) -> list[bytes]:
    """Return the links of all messages: of those before, and of these."""
    links = list(before)
    link = links[-1] if links else b""
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
