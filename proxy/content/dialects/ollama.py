"""Ollama's own API: one object, or an object a line of which the last has ``done``."""

import re
from collections.abc import Iterator

from proxy.content.dialects.dialect import Answer, Dialect, Text, ToolCall, texts_of
from proxy.content.document import Json, count_in, object_in, objects_in, text_in

_TEXTS = ("content", "thinking")


def _knows(document: Json) -> bool:
    return "done" in document


def _read(answer: Answer, document: Json) -> None:
    answer.model = text_in(document, "model") or answer.model
    answer.stop_reason = text_in(document, "done_reason") or answer.stop_reason
    answer.count(
        {
            "input_tokens": count_in(document, "prompt_eval_count"),
            "output_tokens": count_in(document, "eval_count"),
        }
    )
    for call in objects_in(object_in(document, "message"), "tool_calls"):
        # Each is whole, and most have no id.
        called = ToolCall(text_in(call, "id") or "", text_in(object_in(call, "function"), "name") or "")
        answer.call(("ollama", len(answer.tool_calls)), called)
    answer.ended = answer.ended or document.get("done") is True


def _tells_nothing(data: bytes) -> bool:
    return b'"done":false' in data and b'"tool_calls"' not in data


def _texts(event: Json) -> Iterator[Text]:
    yield from texts_of(event.get("message"), _TEXTS, "ollama")
    yield from texts_of(event, ("response", "thinking"), "ollama generate")


DIALECT = Dialect(
    name="ollama",
    paths=(re.compile(r"/api/(?:chat|generate)$"),),
    history=("messages", "prompt"),
    knows=_knows,
    read=_read,
    texts=_texts,
    tells_nothing=_tells_nothing,
    streams=True,
)
