"""Google's Gemini: contents with parts, candidates, and interactions with steps."""

from itertools import count
from typing import Any

from shipper.commands.fetch.document import Json, number_in, object_in, objects_in, text_in

_THOUGHT, _TEXT, _FIRST_CALL = 0, 1, 2


def message(raw: Json) -> Json | None:
    """Return a content as a message."""
    if not isinstance(raw.get("parts"), list):
        return None
    role = "assistant" if text_in(raw, "role") == "model" else text_in(raw, "role") or "user"
    return {"role": role, "content": [_block(part) for part in objects_in(raw, "parts")]}


def answer(document: Json) -> Json | None:
    """Return a whole answer as a message."""
    if text_in(document, "object") == "interaction":
        steps = objects_in(document, "outputs") or objects_in(document, "steps")
        return {"type": "message", "content": [_step(each) for each in steps]}
    candidates = objects_in(document, "candidates")
    if not candidates:
        return None
    parts = [part for each in candidates for part in objects_in(object_in(each, "content"), "parts")]
    return {"type": "message", "content": [_block(part) for part in parts]}


def events(event: Json, numbers: "count[int]") -> list[Json] | None:
    """Return an event as events; ``numbers`` tells calls apart, which come whole."""
    if "event_type" in event:
        return _of_interaction(event)
    if not ("candidates" in event or "usageMetadata" in event):
        return None
    contents = [object_in(each, "content") for each in objects_in(event, "candidates")]
    parts = [part for each in contents for part in objects_in(each, "parts")]
    return [{"type": "ping"}, *(_event(part, numbers) for part in parts)]


def _event(part: Json, numbers: "count[int]") -> Json:
    if isinstance(part.get("text"), str):
        if part.get("thought") is True:
            delta, index = {"thinking": part["text"]}, _THOUGHT
        else:
            delta, index = {"text": part["text"]}, _TEXT
        return {"type": "content_block_delta", "index": index, "delta": delta}
    place = _FIRST_CALL + next(numbers)
    return {"type": "content_block_start", "index": place, "content_block": _block(part)}


def _block(part: Json) -> Json:
    if isinstance(part.get("text"), str):
        thought = part.get("thought") is True
        return {"type": "thinking", "thinking": part["text"]} if thought else {"type": "text", **part}
    if called := object_in(part, "functionCall"):
        return _call(called, called.get("args"))
    if result := object_in(part, "functionResponse"):
        told: Any = result.get("response")
        return {"type": "tool_result", "tool_use_id": text_in(result, "id"), "content": told}
    if data := object_in(part, "inlineData") or object_in(part, "inline_data"):
        media = text_in(data, "mimeType") or text_in(data, "mime_type")
        source = {"media_type": media, "data": text_in(data, "data")}
        return {"type": "image" if media.startswith("image/") else "inlineData", "source": source}
    return {"type": next(iter(part), "")}


def _call(holder: Json, arguments: Any) -> Json:
    return {
        "type": "tool_use",
        "id": text_in(holder, "id"),
        "name": text_in(holder, "name"),
        "input": arguments,
    }


def _step(step: Json) -> Json:
    kind = text_in(step, "type")
    if kind.endswith("_call"):
        named = {**step, "name": text_in(step, "name") or kind.removesuffix("_call")}
        return _call(named, step.get("arguments"))
    texts = [text_in(each, "text") for each in objects_in(step, "content") or objects_in(step, "summary")]
    text = text_in(step, "text") or "\n".join(filter(None, texts))
    return {"type": "thinking", "thinking": text} if kind == "thought" else {"type": "text", "text": text}


def _of_interaction(event: Json) -> list[Json]:
    index, kind = number_in(event, "index"), text_in(event, "event_type")
    if kind in {"step.start", "content.start"}:
        block = _step(object_in(event, "step") or object_in(event, "content"))
        return [{"type": "content_block_start", "index": index, "content_block": block}]
    if kind in {"step.delta", "content.delta"}:
        delta = object_in(event, "delta")
        told = {"text": text_in(delta, "text"), "partial_json": text_in(delta, "arguments")}
        return [{"type": "content_block_delta", "index": index, "delta": told}]
    return [{"type": "ping"}]
