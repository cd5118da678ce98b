"""OpenAI's assistants: runs of threads, streamed or asked for until they end."""

import re
from collections.abc import Iterator

from proxy.content.dialects.dialect import Answer, Dialect, Text, ToolCall, failure_in, texts_of
from proxy.content.dialects.openai.counts import openai_tokens
from proxy.content.document import Json, object_in, objects_in, place_in, text_in

_OBJECT = "thread."
_UNFINISHED = frozenset({"queued", "in_progress", "cancelling"})


def _knows(document: Json) -> bool:
    return (text_in(document, "object") or "").startswith(_OBJECT)


def _read(answer: Answer, document: Json) -> None:
    if text_in(document, "object") == "thread.run":
        _run(answer, document)
    elif text_in(document, "object") == "thread.run.step":
        _calls(answer, object_in(document, "step_details"))


def _run(answer: Answer, run: Json) -> None:
    answer.model = text_in(run, "model") or answer.model
    answer.response_id = text_in(run, "id") or answer.response_id
    if counts := object_in(run, "usage"):
        openai_tokens(answer, counts, "prompt", "completion")
    _calls(answer, object_in(object_in(run, "required_action"), "submit_tool_outputs"))
    status = text_in(run, "status")
    if status is None or status in _UNFINISHED:
        return
    reason = text_in(object_in(run, "incomplete_details"), "reason")
    answer.stop_reason = reason or ("tool_use" if status == "requires_action" else status)
    answer.ended = True
    if status == "failed":
        answer.failure = failure_in({"error": run.get("last_error") or status})


def _calls(answer: Answer, holder: Json) -> None:
    for call in objects_in(holder, "tool_calls"):
        known_as = text_in(call, "id") or ""
        name = text_in(object_in(call, "function"), "name") or text_in(call, "type") or ""
        answer.call(("run", known_as), ToolCall(known_as, name))


def _texts(event: Json) -> Iterator[Text]:
    delta = object_in(event, "delta")
    for part in objects_in(delta, "content"):
        yield from texts_of(part.get("text"), ("value",), (text_in(event, "id"), place_in(part, "index")))
    for call in objects_in(object_in(delta, "step_details"), "tool_calls"):
        yield from texts_of(call.get("function"), ("arguments",), ("call", place_in(call, "index")))


DIALECT = Dialect(
    name="openai_assistants",
    paths=(re.compile(r"/threads/(?:[^/]+/)?runs(?:/[^/]+(?:/submit_tool_outputs|/cancel)?)?$"),),
    history=("additional_messages", "messages"),
    knows=_knows,
    read=_read,
    texts=_texts,
)
