"""An answer's text as the model said it: deltas joined per block, so that nothing hides between two.

How an answer is framed is told by its first characters, as content types are often wrong or absent.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from proxy.content.dialects.dialect import Text
from proxy.content.dialects.registry import dialect_of
from proxy.content.document import Json, parse_object, values, written
from proxy.content.redact.patterns import Mask
from proxy.content.streams.frames import Frame, FrameReader, frame_bytes

# The ends of lines in server-sent events (WHATWG HTML 9.2.5); JSON may have others within its texts.
_LINE_END = re.compile(r"\r\n?|\n")
_BLANK_LINE = re.compile(r"((?:\r\n?+|\n){2})")
_SPACE = "\ufeff \t\r\n"
# Objects inside each other down to here can hold a delta.
_DEEPEST = 12


Piece = str | bytes
"""What arrived at once of a stream: text, or bytes that are none."""


class _Event(Protocol):
    """One event of an answer; ``document`` is its data where that is a JSON object."""

    document: Json | None

    def shown(self, mask: Mask, *, changed: bool) -> tuple[Piece, int]:
        """Return it masked, and the hits; ``changed`` says that the document was."""
        ...


@dataclass(slots=True)
class _TextEvent:
    """An event that is a text: ``before`` and ``after`` stand around its data."""

    text: str
    document: Json | None

    def shown(self, mask: Mask, *, changed: bool) -> tuple[Piece, int]:
        return mask(self._spelled() if changed else self.text)

    def _spelled(self) -> str:
        data = written(self.document)
        lines = _lines(self.text.strip())
        if not any(map(_is_data, lines)):
            before, after = _around(self.text)
            return before + data + after
        return "\n".join([*(line for line in lines if not _is_data(line)), f"data: {data}"]) + "\n\n"


@dataclass(slots=True)
class _FrameEvent:
    """A message of Amazon's event streams; ``carried`` says that the document is within, as base64."""

    frame: Frame
    payload: Json
    document: Json | None
    carried: bool = False

    def shown(self, mask: Mask, *, changed: bool) -> tuple[Piece, int]:
        headers, hits = {}, 0
        for name, value in self.frame.headers.items():
            headers[name], count = mask(value)
            hits += count
        payload, count = self._payload(mask, changed=changed)
        return frame_bytes(headers, payload), hits + count

    def _payload(self, mask: Mask, *, changed: bool) -> tuple[bytes, int]:
        if not self.carried:
            text, hits = mask(written(self.payload) if changed else self.frame.payload.decode())
            return text.encode(), hits
        inner, hits = mask(written(self.document))
        text, more = mask(written(self.payload | {"bytes": ""}))
        outer = parse_object(text) or {}
        return written(outer | {"bytes": b64encode(inner.encode()).decode()}).encode(), hits + more


def mask_chunks(chunks: Sequence[Piece], mask: Mask) -> tuple[list[Piece], int] | None:
    """Mask a stream, however it was cut, and count the hits; return its events one by one.

    Where a block's text is hit, its first delta holds all of the text, and the others none. None for bytes
    that cannot be searched. Of Amazon's event streams a message that broke off is left out, as it cannot be.
    """
    texts = [each for each in chunks if isinstance(each, str)]
    if len(texts) == len(chunks):
        return mask_stream("".join(texts), mask)
    reader = FrameReader()
    frames = reader.feed(joined(chunks))
    if reader.is_broken or not frames:
        return None
    try:
        return _mask(list(map(_frame_event, frames)), mask)
    except UnicodeDecodeError:
        return None  # a payload that is no text


def mask_stream(text: str, mask: Mask) -> tuple[list[Piece], int]:
    """Mask a stream of text as ``mask_chunks`` does."""
    return _mask(list(_events(text)), mask)


def mask_body(text: str, mask: Mask) -> tuple[str, int]:
    """Mask an answer that is logged as one text, which may be a stream all the same."""
    if parse_object(text) is not None:
        return mask(text)
    masked, hits = mask_stream(text, mask)
    # A pattern may span what looked like two events and is one text.
    whole, more = mask("".join(map(str, masked)))
    return whole, hits + more


def mask_messages(chunks: Sequence[Piece], mask: Mask) -> tuple[list[Piece], int] | None:
    """Mask the messages of a WebSocket as ``mask_chunks`` does; return as many."""
    if not all(isinstance(each, str) for each in chunks):
        return None
    return _mask([_TextEvent(str(each), parse_object(each)) for each in chunks], mask)


def joined(pieces: Iterable[Piece]) -> bytes:
    """Return the bytes that pieces of a stream make."""
    return b"".join(each.encode("utf-8", "replace") if isinstance(each, str) else each for each in pieces)


def _mask(events: Sequence[_Event], mask: Mask) -> tuple[list[Piece], int]:
    deltas = [(at, delta) for at, event in enumerate(events) for delta in _deltas(event.document)]
    changed, hits = _join(deltas, mask)
    masked: list[Piece] = []
    for at, event in enumerate(events):
        shown, more = event.shown(mask, changed=at in changed)
        hits += more
        masked.append(shown)
    return masked, hits


def _join(deltas: Iterable[tuple[int, Text]], mask: Mask) -> tuple[set[int], int]:
    """Mask the texts of blocks; return the places of the events that this changed, and the hits."""
    blocks: dict[Hashable, list[tuple[int, Text]]] = {}
    for at, delta in deltas:
        blocks.setdefault(delta.block, []).append((at, delta))
    changed: set[int] = set()
    hits = 0
    for held in blocks.values():
        if len(held) == 1:
            continue  # it is masked where it stands
        text, count = mask("".join(each.holder[each.field] for _, each in held))
        if not count:
            continue
        hits += count
        for at, each in held:
            each.holder[each.field], text = text, ""
            changed.add(at)
    return changed, hits


def _events(text: str) -> Iterator[_Event]:
    """Split at blank lines, as server-sent events are, or where JSON values end."""
    start = text.lstrip(_SPACE)[:1]
    if start == "[":
        return _listed(text)
    if start == "{":
        lines = re.split(r"(?<=\n)", text)
        return (_TextEvent(each, parse_object(each)) for each in lines if each)
    return _blocks(text)


def _listed(text: str) -> Iterator[_Event]:
    """Yield a list's objects, each with what stands before it, of a list that broke off too."""
    at = 0
    for value, end in values(text):
        yield _TextEvent(text[at:end], value if isinstance(value, dict) else None)
        at = end
    if at < len(text):
        yield _TextEvent(text[at:], None)


def _blocks(text: str) -> Iterator[_Event]:
    pieces = [*_BLANK_LINE.split(text), ""]
    for event, blank in zip(pieces[::2], pieces[1::2], strict=True):
        if event or blank:
            yield _TextEvent(event + blank, parse_object(_data(event)))


def _data(event: str) -> str:
    lines = [line.lstrip(_SPACE)[5:].strip() for line in _lines(event) if _is_data(line)]
    return "\n".join(lines) if lines else event


def _is_data(line: str) -> bool:
    return line.lstrip(_SPACE).startswith("data:")


def _lines(text: str) -> list[str]:
    return _LINE_END.split(text)


def _around(text: str) -> tuple[str, str]:
    start, end = text.find("{"), text.rfind("}")
    return text[:start], text[end + 1 :]


def _frame_event(frame: Frame) -> _FrameEvent:
    payload = parse_object(frame.payload)
    if payload is None:
        frame.payload.decode()
        return _FrameEvent(frame, {}, None)
    if isinstance(carried := payload.get("bytes"), str):
        try:
            document = parse_object(b64decode(carried, validate=True))
        except (binascii.Error, ValueError):
            document = None
        if document is not None:
            return _FrameEvent(frame, payload, document, carried=True)
    return _FrameEvent(frame, payload, {frame.headers.get(":event-type", ""): payload})


def _deltas(document: Json | None) -> Iterator[Text]:
    """Yield the texts that the next event may go on with; of what no dialect knows, every text."""
    if document is None:
        return
    dialect = dialect_of(document)
    known = list(dialect.texts(document)) if dialect is not None else []
    yield from known or _texts(document, ())


def _texts(holder: Json, path: tuple[Hashable, ...]) -> Iterator[Text]:
    """Yield the texts of an object whose shape is not known, told apart by where they stand."""
    for name, value in holder.items():
        if isinstance(value, str):
            yield Text((*path, name), holder, name)
        elif len(path) < _DEEPEST:
            yield from _within(value, (*path, name))


def _within(value: Any, path: tuple[Hashable, ...]) -> Iterator[Text]:
    if isinstance(value, dict):
        yield from _texts(value, path)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            if isinstance(each, dict):
                yield from _texts(each, (*path, at))
