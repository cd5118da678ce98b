"""A model's answer: out of a body, or out of the events of a stream, also of one that broke off."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from shipper.commands.fetch.dialects.frames import frame_events
from shipper.commands.fetch.dialects.registry import Events, as_answer
from shipper.commands.fetch.document import (
    Json,
    number_in,
    object_in,
    objects_in,
    parse,
    parse_object,
    text_in,
)
from shipper.commands.fetch.message import Block, block_of, message_of

_LINE_END = re.compile(r"\r\n|\n|\r")
# As Anthropic writes them: most of a stream, and ten times as fast to read by their form.
_FORM = (
    r'event: content_block_delta\ndata: \{"type":"content_block_delta","index":(\d{1,6}),'
    r'"delta":\{"type":"(\w+)","(text|thinking|partial_json)":("(?:[^"\\\n]|\\.)*+")\} *\} *\n\n'
)
_DELTA = re.compile(_FORM)
_DELTAS = re.compile(f"(?:{_FORM})++")


class Reply(NamedTuple):
    """What the model said; ``failure`` is the provider's word for what went wrong."""

    blocks: tuple[Block, ...]
    failure: str = ""


def reply_in(body: str) -> Reply | None:
    """Return the answer in a body; None where it is none that is known."""
    document = parse_object(body)
    return streamed_reply(body) if document is None else _reply_of(as_answer(document))


def streamed_reply(data: str | bytes) -> Reply | None:
    """Return the answer that a stream's events tell; None where none of them is known.

    Bytes are Amazon's event streams; a text is server-sent events, lines of JSON, or a list of them.
    """
    stream, words = _Stream(), Events()
    for event in frame_events(data) if isinstance(data, bytes) else _documents(data):
        for each in words.of(event):
            stream.take(each)
    return stream.reply() if stream.known else None


def _documents(text: str) -> Iterator[Json]:
    if text.lstrip().startswith("["):
        yield from objects_in({"events": parse(text)}, "events")
        return
    at = 0
    for run in _DELTAS.finditer(text):
        yield from _parsed(text[at : run.start()])
        yield from _joined(run[0])
        at = run.end()
    yield from _parsed(text[at:])


def _parsed(text: str) -> Iterator[Json]:
    return (event for event in map(parse_object, _events(text)) if event is not None)


def _joined(run: str) -> Iterator[Json]:
    """Yield Anthropic's deltas, those in a row that go on with the same text as one."""
    found = _DELTA.findall(run)
    for (index, kind, name), group in groupby(found, key=itemgetter(0, 1, 2)):
        told = parse(f"[{','.join(each[3] for each in group)}]")
        texts = told if isinstance(told, list) else []
        delta = {"type": kind, name: "".join(texts)}
        yield {"type": "content_block_delta", "index": int(index), "delta": delta}


def _reply_of(document: Json) -> Reply | None:
    failure = _failure(document)
    if "choices" in document:
        blocks = (block for each in objects_in(document, "choices") for block in _spoken(each))
    elif document.get("object") == "response":
        blocks = (block for item in objects_in(document, "output") for block in message_of(item).blocks)
    elif document.get("type") == "message":
        blocks = (block for block in message_of(document).blocks)
    elif failure:
        return Reply((), failure)
    else:
        return None
    return Reply(tuple(blocks), failure)


def _spoken(choice: Json) -> tuple[Block, ...]:
    message = object_in(choice, "message")
    return message_of(message or {"content": choice.get("text")}).blocks


def _failure(document: Json) -> str:
    # An event of OpenAI's is the error itself.
    error = document.get("error") or (document if document.get("type") == "error" else None)
    if not error:
        return ""
    told = error if isinstance(error, dict) else {"message": str(error)}
    kind = text_in(told, "type") or text_in(told, "code")
    return ": ".join(filter(None, (kind, text_in(told, "message")))) or "error"


def _events(text: str) -> Iterator[str]:
    """Yield the data of each event (WHATWG HTML 9.2.6), also of a last one that no blank line ended."""
    data: list[str] = []
    for line in [*_LINE_END.split(text), ""]:
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif line.startswith("{"):
            yield line
        elif not line and data:
            yield "\n".join(data)
            data = []


class _Stream:
    """The blocks of a stream as they grow; ``known`` tells whether any of its events was understood."""

    def __init__(self) -> None:
        self.known = False
        self._failure = ""
        self._whole: Reply | None = None
        self._raw: dict[Any, Json] = {}
        self._grown: dict[tuple[Any, str], list[str]] = defaultdict(list)

    def take(self, event: Json) -> None:
        kind = text_in(event, "type")
        read = _EVENTS.get(kind)
        if read:
            read(self, event)
        elif "choices" in event:
            self._chat_chunk(event)
        elif not _failure(event):
            self.known |= kind in _SILENT
            return
        self.known = True
        self._failure = _failure(event) or self._failure

    def reply(self) -> Reply:
        if self._whole is not None and self._whole.blocks:
            return Reply(self._whole.blocks, self._whole.failure or self._failure)
        for (place, name), parts in self._grown.items():
            self._raw[place][name] = text_in(self._raw[place], name) + "".join(parts)
        blocks = (block for raw in self._raw.values() for block in _blocks_in(raw))
        return Reply(tuple(blocks), (self._whole.failure if self._whole else "") or self._failure)

    def _grow(self, place: Any, name: str, text: str, empty: Json) -> None:
        self._raw.setdefault(place, empty)
        if text:
            self._grown[place, name].append(text)

    def _block_start(self, event: Json) -> None:
        self._raw["block", number_in(event, "index")] = dict(object_in(event, "content_block"))

    def _block_delta(self, event: Json) -> None:
        delta, place = object_in(event, "delta"), ("block", number_in(event, "index"))
        for told, name in (("text", "text"), ("thinking", "thinking"), ("partial_json", "input")):
            if text := text_in(delta, told):
                self._grow(place, name, text, {"type": "text"})

    def _chat_chunk(self, event: Json) -> None:
        for choice in objects_in(event, "choices"):
            delta, index = object_in(choice, "delta"), number_in(choice, "index")
            for told in ("reasoning_content", "reasoning", "content", "refusal"):
                if text := text_in(delta, told):
                    self._grow(("said", index), told, text, {"role": "assistant"})
            if text := text_in(choice, "text"):
                self._grow(("said", index), "content", text, {"role": "assistant"})
            for call in objects_in(delta, "tool_calls"):
                self._chat_call(("call", index, number_in(call, "index")), call)

    def _chat_call(self, place: Any, call: Json) -> None:
        called = object_in(call, "function")
        empty = {"type": "function_call", "name": text_in(called, "name"), "call_id": text_in(call, "id")}
        self._grow(place, "arguments", text_in(called, "arguments"), empty)

    def _item(self, event: Json) -> None:
        place = "item", number_in(event, "output_index")
        self._raw[place] = dict(object_in(event, "item"))
        for grown in [each for each in self._grown if each[0] == place]:
            del self._grown[grown]

    def _item_delta(self, event: Json) -> None:
        place, text = ("item", number_in(event, "output_index")), text_in(event, "delta")
        name = "arguments" if "function_call" in text_in(event, "type") else "content"
        name = "input" if "custom_tool" in text_in(event, "type") else name
        self._grow(place, name, text, {"type": "message", "role": "assistant"})

    def _response_end(self, event: Json) -> None:
        self._whole = _reply_of({**object_in(event, "response"), "object": "response"})


def _blocks_in(raw: Json) -> tuple[Block, ...]:
    if "role" in raw or text_in(raw, "type") in {"message", "reasoning"}:
        return message_of(raw).blocks
    return (block_of(raw),)


# Events that belong to a known stream and tell no content.
_SILENT = frozenset({"message_start", "message_delta", "message_stop", "ping", "response.created"})
_EVENTS: dict[str, Callable[[_Stream, Json], None]] = {
    "content_block_start": _Stream._block_start,  # noqa: SLF001 - the table is the class's own
    "content_block_delta": _Stream._block_delta,  # noqa: SLF001
    "response.output_item.added": _Stream._item,  # noqa: SLF001
    "response.output_item.done": _Stream._item,  # noqa: SLF001
    "response.output_text.delta": _Stream._item_delta,  # noqa: SLF001
    "response.refusal.delta": _Stream._item_delta,  # noqa: SLF001
    "response.function_call_arguments.delta": _Stream._item_delta,  # noqa: SLF001
    "response.custom_tool_call_input.delta": _Stream._item_delta,  # noqa: SLF001
    "response.completed": _Stream._response_end,  # noqa: SLF001
    "response.incomplete": _Stream._response_end,  # noqa: SLF001
    "response.failed": _Stream._response_end,  # noqa: SLF001
}
