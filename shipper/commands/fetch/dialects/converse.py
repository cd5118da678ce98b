"""Amazon Bedrock's Converse: blocks of which the one member is named as their kind."""

from shipper.commands.fetch.document import Json, number_in, object_in, objects_in, text_in

_EVENTS = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)
_KINDS = frozenset({"text", "toolUse", "toolResult", "reasoningContent", "image"})


def message(raw: Json) -> Json | None:
    """Return a message whose blocks have no ``type``."""
    blocks = objects_in(raw, "content")
    if not blocks or any("type" in each or _KINDS.isdisjoint(each) for each in blocks[:1]):
        return None
    return {**raw, "content": [_block(each) for each in blocks]}


def answer(document: Json) -> Json | None:
    """Return a whole answer as a message."""
    said = object_in(object_in(document, "output"), "message")
    if not said:
        return None
    return {"type": "message", "content": [_block(each) for each in objects_in(said, "content")]}


def events(event: Json) -> list[Json] | None:
    """Return an event as events."""
    if _EVENTS.isdisjoint(event):
        return None
    start, delta = object_in(event, "contentBlockStart"), object_in(event, "contentBlockDelta")
    index = number_in(start or delta, "contentBlockIndex")
    if start:
        block = _block(object_in(start, "start"))
        return [{"type": "content_block_start", "index": index, "content_block": block}]
    told = object_in(delta, "delta")
    texts = {
        "text": text_in(told, "text"),
        "thinking": text_in(object_in(told, "reasoningContent"), "text"),
        "partial_json": text_in(object_in(told, "toolUse"), "input"),
    }
    return [{"type": "content_block_delta", "index": index, "delta": texts}] if told else [{"type": "ping"}]


def _block(block: Json) -> Json:
    if used := object_in(block, "toolUse"):
        identity = text_in(used, "toolUseId")
        return {"type": "tool_use", "id": identity, "name": text_in(used, "name"), "input": used.get("input")}
    if result := object_in(block, "toolResult"):
        content = [
            {"type": "text", "text": text_in(each, "text")} if "text" in each else each.get("json", each)
            for each in objects_in(result, "content")
        ]
        failed = text_in(result, "status") == "error"
        identity = text_in(result, "toolUseId")
        return {"type": "tool_result", "tool_use_id": identity, "content": content, "is_error": failed}
    if thought := object_in(block, "reasoningContent"):
        return {"type": "thinking", "thinking": text_in(object_in(thought, "reasoningText"), "text")}
    if image := object_in(block, "image"):
        media, data = f"image/{text_in(image, 'format')}", text_in(object_in(image, "source"), "bytes")
        return {"type": "image", "source": {"media_type": media, "data": data}}
    return {"type": "text", "text": block["text"]} if "text" in block else {"type": next(iter(block), "")}
