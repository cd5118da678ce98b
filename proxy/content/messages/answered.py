"""The reply in an answer, streamed or whole, by the shape of its events.

Of the many events that only carry text, the text is cut out by its bytes: parsing each would cost most of a
stream.
"""

import re
from typing import Any

import orjson

from proxy.content.messages.reply import Call, Said, canonical, marks, said_by

Json = dict[str, Any]

# The longest replies of today's models have half a megabyte; what is longer is not known by its reply.
_MOST = 4 << 20
_STRING = rb'"\s*:\s*"([^"\\]*+(?:\\.[^"\\]*+)*+)"'
_TEXT = re.compile(rb'"text' + _STRING)
_CONTENT = re.compile(rb'"content' + _STRING)
_PARTIAL = re.compile(rb'"index"\s*:\s*(\d+).*?"partial_json' + _STRING, re.DOTALL)
_OTHER_CHOICE = re.compile(rb'"index"\s*:\s*[1-9]')


class _Tool:
    """A tool call of which the arguments arrive in pieces."""

    def __init__(self, identity: Any, name: Any, arguments: Any = None) -> None:
        self.identity = identity if isinstance(identity, str) else ""
        self.name = name if isinstance(name, str) else ""
        self.whole = arguments
        self.pieces: list[str] = []

    def call(self) -> Call:
        return Call(self.identity, self.name, canonical("".join(self.pieces) or self.whole))


class ReplyReader:
    """Gathers the reply of one answer. Of several choices the first counts."""

    def __init__(self) -> None:
        self._text: list[bytes] = []
        self._size = 0
        self._tools: dict[Any, _Tool] = {}
        self._said: list[Said] = []

    def marks(self) -> bytes:
        """Return the marks of the reply (``reply.marks``); empty where none was understood."""
        if self._size > _MOST:
            return b""
        streamed = Said(_decoded(self._text), [tool.call() for tool in self._tools.values()])
        return marks([streamed, *self._said])

    def cut(self, data: bytes) -> bool:
        """Take the text out of an event's bytes; tell whether there is nothing else for ``read``."""
        self._size += len(data)
        if self._size > _MOST:
            return True
        head = data[:96]
        if b'"content_block_delta"' in head:
            if b'"text_delta"' in data:
                self._take(_TEXT, b'"text":"', data)
            elif b'"input_json_delta"' in data:
                self._take_partial(_PARTIAL.search(data))
            return True
        if b'"response.' in head:
            return b'"response.output_item.done"' not in data and b'"response.completed"' not in data
        if b'"choices"' in data and b'"tool_calls"' not in data and b'"delta"' in data:
            if not _OTHER_CHOICE.search(data):
                self._take(_CONTENT, b'"content":"', data)
            return True
        return False

    def _take(self, pattern: re.Pattern[bytes], before: bytes, data: bytes) -> None:
        """Keep a text as it is spelled: up to the next quote, where neither is escaped."""
        start = data.find(before) + len(before)
        end = data.find(b'"', start)
        if start >= len(before) and end > 0 and b"\\" not in data:
            self._text.append(data[start:end])
        elif (found := pattern.search(data)) is not None:
            self._text.append(found[1])

    def _take_partial(self, found: re.Match[bytes] | None) -> None:
        if found is not None and (tool := self._tools.get(int(found[1]))) is not None:
            tool.pieces.append(_decoded([found[2]]))

    def read(self, document: Any) -> None:
        """Take an event, or a whole answer, that is parsed."""
        if isinstance(document, list):  # Gemini's streams without ``alt=sse``
            for each in document:
                self.read(each)
        elif isinstance(document, dict):
            self._document(document)

    def _document(self, document: Json) -> None:
        match document.get("type"):
            case "content_block_start":
                self._block_start(document.get("index"), _object(document, "content_block"))
            case "message":
                self._add(said_by({"role": "assistant", **document}))
            case "response.output_item.done":
                self._add(said_by(document.get("item")))
            case "response.completed":
                if not self._said:
                    self._items(_object(document, "response"))
            case _:
                self._untyped(document)

    def _untyped(self, document: Json) -> None:
        if document.get("object") == "response":
            self._items(document)
        elif choices := _list(document.get("choices")):
            self._choice(choices[0])
        elif candidates := _list(document.get("candidates")):
            content = candidates[0].get("content") if isinstance(candidates[0], dict) else None
            self._merge(said_by({"role": "model", **content} if isinstance(content, dict) else None))
        elif isinstance(output := document.get("output"), dict):
            self._add(said_by(output.get("message")))
        elif isinstance(message := document.get("message"), dict):
            self._merge(said_by(message))
        else:
            self._converse(document)

    def _items(self, response: Json) -> None:
        for item in _list(response.get("output")):
            self._add(said_by(item))

    def _block_start(self, index: Any, block: Json) -> None:
        if str(block.get("type")).endswith("tool_use"):
            self._tools[index] = _Tool(block.get("id"), block.get("name"), block.get("input"))
        elif isinstance(text := block.get("text"), str) and text:
            self._text.append(orjson.dumps(text)[1:-1])

    def _choice(self, choice: Any) -> None:
        if not isinstance(choice, dict) or choice.get("index"):
            return
        if isinstance(message := choice.get("message"), dict):
            self._add(said_by({"role": "assistant", **message}))
        delta = _object(choice, "delta")
        if isinstance(text := delta.get("content"), str):
            self._text.append(orjson.dumps(text)[1:-1])
        for call in _list(delta.get("tool_calls")):
            if isinstance(call, dict):
                self._chat_piece(call)

    def _chat_piece(self, call: Json) -> None:
        named = _object(call, "function") or _object(call, "custom")
        place = call.get("index"), call.get("id") or ""
        if named.get("name") or place not in self._tools:
            place = self._chat_place(place, starts=bool(named.get("name")))
            self._tools.setdefault(place, _Tool(call.get("id"), named.get("name")))
        piece = named.get("arguments", named.get("input"))
        self._tools[place].pieces.append(piece if isinstance(piece, str) else canonical(piece))

    def _chat_place(self, place: Any, *, starts: bool) -> Any:
        """Return the call that a piece belongs to: the latest with its index, where it names none."""
        alike = [each for each in self._tools if isinstance(each, tuple) and each[0] == place[0]]
        return place if starts or not alike else alike[-1]

    def _converse(self, document: Json) -> None:
        event = _object(document, "contentBlockStart") or _object(document, "contentBlockDelta") or document
        index = event.get("contentBlockIndex")
        if use := _object(_object(event, "start"), "toolUse"):
            self._tools[index] = _Tool(use.get("toolUseId"), use.get("name"))
        delta = _object(event, "delta")
        if isinstance(text := delta.get("text"), str):
            self._text.append(orjson.dumps(text)[1:-1])
        elif (piece := _object(delta, "toolUse").get("input")) and index in self._tools:
            self._tools[index].pieces.append(str(piece))

    def _add(self, said: Said | None) -> None:
        if said is not None:
            self._said.append(said)

    def _merge(self, said: Said | None) -> None:
        """Take a piece of the one message that a stream of whole objects makes."""
        if said is None:
            return
        if not self._said:
            self._said.append(Said())
        self._said[0].text += said.text
        self._said[0].calls += said.calls


def _decoded(pieces: list[bytes]) -> str:
    try:
        text = orjson.loads(b'"' + b"".join(pieces) + b'"')
    except orjson.JSONDecodeError:
        return ""  # a lone surrogate, or bytes that are no UTF-8
    return str(text)


def _object(holder: Json, name: str) -> Json:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
