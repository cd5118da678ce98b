"""A stream's text as the model said it: deltas joined per block, so that nothing hides between two."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from proxy.content.dialects.dialect import Text
from proxy.content.dialects.registry import dialect_of
from proxy.content.document import Json, parse_object, written
from proxy.content.redact.patterns import Mask


@dataclass(slots=True)
class _Event:
    """One event of a stream as it stands in the text, with its data where that is a JSON object."""

    text: str
    document: Json | None


def mask_stream(text: str, mask: Mask) -> tuple[list[str], int]:
    """Mask a stream and count the hits; return its events one by one.

    Where there are hits, the first delta of each block holds all of the block's text, and the others none.
    """
    return _mask(list(_events(text)), mask)


def mask_messages(messages: list[str], mask: Mask) -> tuple[list[str], int]:
    """Mask the messages of a WebSocket as ``mask_stream`` does; return as many."""
    masked, hits = _mask([_Event(each, parse_object(each)) for each in messages], mask)
    return [each.removesuffix("\n") for each in masked], hits


def _mask(events: list[_Event], mask: Mask) -> tuple[list[str], int]:
    deltas = [delta for event in events if event.document for delta in _deltas(event.document)]
    hits = _join(deltas, mask)
    masked = []
    for event in events:
        shown = _spelled(event) if hits and event.document else event.text
        shown, more = mask(shown)
        hits += more
        masked.append(shown)
    return masked, hits


def _join(deltas: list[Text], mask: Mask) -> int:
    blocks: dict[Hashable, list[Text]] = {}
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
    data = written(event.document)
    lines = event.text.rstrip("\r\n").splitlines()
    if not any(line.startswith("data:") for line in lines):
        return data + "\n"
    others = [line for line in lines if not line.startswith("data:")]
    return "\n".join([*others, f"data: {data}"]) + "\n\n"


def _deltas(document: Json) -> Iterator[Text]:
    dialect = dialect_of(document)
    return dialect.texts(document) if dialect is not None else iter(())
