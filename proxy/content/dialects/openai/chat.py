"""OpenAI's chat completions and older completions, and what other hosts made of them.

Groq, DeepSeek, OpenRouter, Mistral, Moonshot, xAI, vLLM and many more; each has counts at places of its own.
"""

import re
from collections.abc import Hashable, Iterator
from typing import Any

from proxy.content.dialects.dialect import Answer, Dialect, Text, ToolCall, texts_of
from proxy.content.dialects.openai.counts import openai_tokens
from proxy.content.document import Json, object_in, objects_in, place_in, text_in

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


def _knows(document: Json) -> bool:
    return "choices" in document


def _read(answer: Answer, document: Json) -> None:
    answer.model = answer.model or text_in(document, "model")
    answer.response_id = answer.response_id or text_in(document, "id")
    for at, choice in enumerate(objects_in(document, "choices")):
        _choice(answer, place_in(choice, "index") if "index" in choice else at, choice)
    for holder in (document, object_in(document, "x_groq"), *objects_in(document, "choices")):
        if counts := object_in(holder, "usage"):
            openai_tokens(answer, counts, "prompt", "completion")


def _choice(answer: Answer, place: Hashable, choice: Json) -> None:
    answer.running.add(place)
    reason = text_in(choice, "finish_reason")
    if reason:
        answer.stop_reason = reason
        answer.running.discard(place)
        answer.ended = not answer.running
    # A stream has the pieces of a message as ``delta``.
    said = object_in(choice, "delta") or object_in(choice, "message")
    for call in objects_in(said, "tool_calls"):
        _call(answer, place, call)
    if called := object_in(said, "function_call"):
        _call(answer, place, {"index": "function_call", "function": called})
    if choice.get("error"):
        answer.fail(choice)


def _call(answer: Answer, choice: Hashable, call: Json) -> None:
    """Note a call by its index; where it has none, or that of another call, by its id or its name."""
    called = object_in(call, "function") or object_in(call, "custom")
    name, known_as = text_in(called, "name"), text_in(call, "id") or ""
    if not name:
        return
    place: tuple[Hashable, ...] = ("chat", choice, place_in(call, "index"))
    at = answer.places.get(place)
    if at is not None and "index" not in call and not known_as:
        place = (*place, "", len(answer.tool_calls))
    elif at is not None and known_as not in {"", answer.tool_calls[at].id}:
        place = (*place, known_as)
    if place not in answer.places:
        answer.call(place, ToolCall(known_as, name))


def _tells_nothing(data: bytes) -> bool:
    """Tell by bytes; inside a JSON string quotes are escaped, so none of these can match in a text."""
    return (
        (b'"finish_reason":null' in data or b'"finish_reason": null' in data)
        and b'"tool_calls"' not in data
        and (b'"usage"' not in data or b'"usage":null' in data or b'"usage": null' in data)
        and b'"finish_reason":"' not in data
        and b'"error"' not in data
        and b'"function_call"' not in data
        and (b'"index":0' in data or b'"index": 0' in data)
    )


def _texts(event: Json) -> Iterator[Text]:
    choices: Any = event.get("choices")
    for choice in objects_in(event, "choices") if isinstance(choices, list) else ():
        place = place_in(choice, "index")
        yield from texts_of(choice, ("text",), place)
        delta = object_in(choice, "delta")
        yield from texts_of(delta, _TEXTS, place)
        for call in objects_in(delta, "tool_calls"):
            at = (place, place_in(call, "index"))
            yield from texts_of(call.get("function"), ("arguments",), at)
            yield from texts_of(call.get("custom"), ("input",), at)
        yield from texts_of(delta.get("function_call"), ("arguments",), (place, "function_call"))


DIALECT = Dialect(
    name="openai_chat",
    paths=(
        re.compile(r"/deployments/(?P<model>[^/]+)/(?:chat/)?completions$"),
        re.compile(r"/completions$"),
    ),
    history=("messages", "prompt"),
    knows=_knows,
    read=_read,
    texts=_texts,
    tells_nothing=_tells_nothing,
)
