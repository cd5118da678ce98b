"""OpenAI's responses, created, streamed, compacted or fetched later, and those of its realtime API."""

import re
from collections.abc import Iterator

from proxy.content.dialects.dialect import Answer, Dialect, Text, ToolCall, failure_in, texts_of
from proxy.content.dialects.openai.counts import openai_tokens
from proxy.content.document import Json, object_in, objects_in, place_in, text_in

_OBJECTS = frozenset({"response", "response.compaction", "realtime.response"})
# The events that hold the whole response, after which none follows.
_ENDS = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
        "response.done",
    }
)
_UNFINISHED = frozenset({"queued", "in_progress"})
# The tools that the client runs, so that the model waits for their results; the provider runs all others.
_CLIENTS_TOOLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "computer_call",
    }
)
_CALL = "_call"


def _knows(document: Json) -> bool:
    kind = document.get("type")
    of_stream = isinstance(kind, str) and kind.startswith("response.")
    return of_stream or text_in(document, "object") in _OBJECTS


def _read(answer: Answer, document: Json) -> None:
    kind = text_in(document, "type") or ""
    if not kind.startswith("response."):
        _response(answer, document)
    elif kind in _ENDS:
        _response(answer, object_in(document, "response"))
        answer.ended = True
    elif kind == "response.output_item.done":
        _item(answer, document.get("output_index"), object_in(document, "item"))
    elif "response" in document:
        _head(answer, object_in(document, "response"))


def _head(answer: Answer, response: Json) -> None:
    answer.model = text_in(response, "model") or answer.model
    answer.response_id = text_in(response, "id") or answer.response_id


def _response(answer: Answer, response: Json) -> None:
    _head(answer, response)
    if counts := object_in(response, "usage"):
        openai_tokens(answer, counts, "input", "output")
    waits = False
    items = objects_in(response, "output")
    for at, item in enumerate(items):
        _item(answer, at, item)
        waits |= text_in(item, "type") in _CLIENTS_TOOLS
    waits |= not items and any(place[0] == "client" for place in answer.places if isinstance(place, tuple))
    status = text_in(response, "status") or (
        "completed" if text_in(response, "object") == "response.compaction" else None
    )
    reason = text_in(object_in(response, "incomplete_details"), "reason")
    reason = reason or text_in(object_in(response, "status_details"), "reason")
    answer.stop_reason = reason or ("tool_use" if status == "completed" and waits else status)
    answer.ended = status not in _UNFINISHED
    if status == "failed":
        answer.failure = failure_in(response if response.get("error") else _details(response))


def _details(response: Json) -> Json:
    return object_in(response, "status_details") or response


def _item(answer: Answer, at: object, item: Json) -> None:
    kind = text_in(item, "type") or ""
    if kind.endswith(_CALL):
        known_as = text_in(item, "call_id") or text_in(item, "id") or ""
        name = text_in(item, "name") or kind.removesuffix(_CALL)
        whose = "client" if kind in _CLIENTS_TOOLS else "provider"
        answer.call((whose, at if isinstance(at, int) else known_as), ToolCall(known_as, name))


def _tells_nothing(data: bytes) -> bool:
    head = data[:96]
    return b'.delta"' in head and b'"response.' in head


def _texts(event: Json) -> Iterator[Text]:
    kind = event.get("type")
    if isinstance(kind, str) and kind.endswith(".delta"):
        names = ("item_id", "content_index", "summary_index")
        yield from texts_of(event, ("delta",), (kind, *(place_in(event, name) for name in names)))


DIALECT = Dialect(
    name="openai_responses",
    paths=(re.compile(r"/responses(?:/compact|/[^/]+(?:/cancel)?)?$"),),
    history=("input",),
    knows=_knows,
    read=_read,
    texts=_texts,
    tells_nothing=_tells_nothing,
)
