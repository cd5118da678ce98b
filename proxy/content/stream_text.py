"""A stream's text as the model said it: deltas joined per block, so that nothing hides between two."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from proxy.content.usage import Json, parse_object

Mask = Callable[[str], tuple[str, int]]

_BLOCK_TEXTS = ("text", "thinking", "partial_json")
_CHAT_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


@dataclass(slots=True)
class _Event:
    """One event of a stream as it stands in the text, with its data where that is a JSON object."""

    text: str
    document: Json | None


@dataclass(frozen=True, slots=True)
class _Delta:
    """A piece of a block's text: ``holder[field]``."""

    block: Hashable
    holder: Json
    field: str


def mask_stream(text: str, mask: Mask) -> tuple[list[str], int]:
    """Mask a stream and count the hits; return its events one by one.

    Where there are hits, the first delta of each block holds all of the block's text, and the others none.
    """
    events = list(_events(text))
    deltas = [delta for event in events if event.document for delta in _deltas(event.document)]
    hits = _join(deltas, mask)
    masked = []
    for event in events:
        shown = _spelled(event) if hits and event.document else event.text
        shown, more = mask(shown)
        hits += more
        masked.append(shown)
    return masked, hits


def _join(deltas: list[_Delta], mask: Mask) -> int:
    blocks: dict[Hashable, list[_Delta]] = {}
    for delta in deltas:
        blocks.setdefault(delta.block, []).append(delta)
    masked = {
        block: mask("".join(each.holder[each.field] for each in held)) for block, held in blocks.items()
    }
    hits = sum(count for _, count in masked.values())
    if hits:
        for block, (head, *rest) in blocks.items():
            head.holder[head.field] = masked[block][0]
            for each in rest:
                each.holder[each.field] = ""
    return hits


def _events(text: str) -> Iterator[_Event]:
    """Split at blank lines, as server-sent events are, or at every line where there are none."""
    separator = "\n\n" if "data:" in text else "\n"
    if "\r\n\r\n" in text:
        separator = "\r\n\r\n"
    for event in text.split(separator):
        if event:
            yield _Event(event + separator, parse_object(_data(event)))


def _data(event: str) -> str:
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith("data:")]
    return "\n".join(lines) if lines else event


def _spelled(event: _Event) -> str:
    """Write an event again, with its changed data."""
    data = orjson.dumps(event.document).decode()
    lines = event.text.rstrip("\r\n").splitlines()
    if not any(line.startswith("data:") for line in lines):
        return data + "\n"
    others = [line for line in lines if not line.startswith("data:")]
    return "\n".join([*others, f"data: {data}"]) + "\n\n"


def _deltas(document: Json) -> Iterator[_Delta]:
    kind = document.get("type")
    if kind == "content_block_delta":
        yield from _texts(document.get("delta"), _BLOCK_TEXTS, document.get("index"))
    elif isinstance(kind, str) and kind.endswith(".delta"):
        place = (kind, document.get("item_id"), document.get("content_index"), document.get("summary_index"))
        yield from _texts(document, ("delta",), place)
    else:
        for choice in _list(document.get("choices")):
            yield from _chat(choice)
        yield from _texts(document.get("message"), ("content", "thinking"), "ollama")
        yield from _texts(document, ("response",), "ollama")


def _chat(choice: Any) -> Iterator[_Delta]:
    if not isinstance(choice, dict):
        return
    index = choice.get("index")
    yield from _texts(choice, ("text",), index)
    delta = choice.get("delta")
    yield from _texts(delta, _CHAT_TEXTS, index)
    for call in _list(delta.get("tool_calls") if isinstance(delta, dict) else None):
        if isinstance(call, dict):
            yield from _texts(call.get("function"), ("arguments",), (index, call.get("index")))


def _texts(holder: Any, fields: tuple[str, ...], place: Any) -> Iterator[_Delta]:
    if isinstance(holder, dict):
        for field in fields:
            if isinstance(holder.get(field), str):
                yield _Delta((field, str(place)), holder, field)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
