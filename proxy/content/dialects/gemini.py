"""Google's Gemini: generated content, plain, as events or as a list that grows, and interactions."""

import re
from collections.abc import Iterator
from typing import Any

from proxy.content.dialects.dialect import Answer, Dialect, Text, ToolCall, texts_of
from proxy.content.document import Json, count_in, object_in, objects_in, place_in, text_in

_METHODS = "[gG]enerateContent|[gG]enerateAnswer"
# What an interaction can be while it goes on.
_UNFINISHED = frozenset({"queued", "in_progress"})
_CALL = "_call"


def _knows(document: Json) -> bool:
    return _knows_content(document) or _is_interaction(document)


def _knows_content(document: Json) -> bool:
    return (
        isinstance(document.get("candidates"), list)
        or "usageMetadata" in document
        or "promptFeedback" in document
        or _is_wrapped(document)
    )


def _is_wrapped(document: Json) -> bool:
    """Tell what Code Assist sends, with the answer as ``response``."""
    return isinstance(object_in(document, "response").get("candidates"), list)


def _is_interaction(document: Json) -> bool:
    return text_in(document, "object") == "interaction" or isinstance(document.get("event_type"), str)


def _read(answer: Answer, document: Json) -> None:
    if "event_type" in document:
        _event(answer, document)
    elif text_in(document, "object") == "interaction":
        _interaction(answer, document)
    else:
        _content(answer, object_in(document, "response") if _is_wrapped(document) else document)


def _content(answer: Answer, document: Json) -> None:
    answer.model = text_in(document, "modelVersion") or answer.model
    answer.response_id = text_in(document, "responseId") or answer.response_id
    _tokens(answer, object_in(document, "usageMetadata"))
    for candidate in objects_in(document, "candidates"):
        _candidate(answer, candidate)
    blocked = text_in(object_in(document, "promptFeedback"), "blockReason")
    if blocked:
        answer.stop_reason, answer.ended = blocked, True


def _candidate(answer: Answer, candidate: Json) -> None:
    place = place_in(candidate, "index")
    answer.running.add(place)
    for part in objects_in(object_in(candidate, "content"), "parts"):
        # Each call is whole, and few have an id.
        called = object_in(part, "functionCall")
        if name := text_in(called, "name"):
            answer.call(("gemini", len(answer.tool_calls)), ToolCall(text_in(called, "id") or "", name))
    reason = text_in(candidate, "finishReason")
    if reason and reason != "FINISH_REASON_UNSPECIFIED":
        answer.stop_reason = reason
        answer.running.discard(place)
        answer.ended = not answer.running


def _tokens(answer: Answer, counts: Json) -> None:
    """Read counts of which the prompt's holds the cached ones, and the candidates' holds no thoughts."""
    given, used = count_in(counts, "promptTokenCount"), count_in(counts, "toolUsePromptTokenCount")
    cached = count_in(counts, "cachedContentTokenCount")
    said, thought = count_in(counts, "candidatesTokenCount"), count_in(counts, "thoughtsTokenCount")
    _count(answer, _sum(given, used), cached, _sum(said, thought), thought)


def _count(
    answer: Answer, given: int | None, cached: int | None, said: int | None, thought: int | None
) -> None:
    if given is not None and cached is not None and cached <= given:
        given -= cached
    answer.count(
        {
            "input_tokens": given,
            "cache_read_input_tokens": cached,
            "output_tokens": said,
            "reasoning_tokens": thought,
        }
    )


def _sum(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)


def _event(answer: Answer, event: Json) -> None:
    kind = text_in(event, "event_type") or ""
    if kind == "error":
        answer.fail(event)
    elif "interaction" in event:
        _interaction(answer, object_in(event, "interaction"))
        answer.ended = answer.ended or kind in {"interaction.complete", "interaction.completed"}
    elif kind == "interaction.status_update":
        _status(answer, event)
    else:
        block = object_in(event, "step") or object_in(event, "content") or object_in(event, "delta")
        _step(answer, place_in(event, "index"), block)


def _interaction(answer: Answer, interaction: Json) -> None:
    answer.model = text_in(interaction, "model") or text_in(interaction, "agent") or answer.model
    answer.response_id = text_in(interaction, "id") or answer.response_id
    _status(answer, interaction)
    for name in ("outputs", "steps"):
        for at, step in enumerate(objects_in(interaction, name)):
            _step(answer, at, step)
    counts = object_in(interaction, "usage")
    given = _sum(count_in(counts, "total_input_tokens"), count_in(counts, "total_tool_use_tokens"))
    said, thought = count_in(counts, "total_output_tokens"), count_in(counts, "total_thought_tokens")
    # The total tells whether thoughts are counted within the output.
    if thought and count_in(counts, "total_tokens") != _sum(given, said):
        said = _sum(said, thought)
    _count(answer, given, count_in(counts, "total_cached_tokens"), said, thought)


def _status(answer: Answer, holder: Json) -> None:
    status = text_in(holder, "status")
    if status is None or status in _UNFINISHED:
        return
    answer.stop_reason, answer.ended = status, True
    if status == "failed":
        answer.failure = answer.failure or "failed"


def _step(answer: Answer, place: Any, step: Json) -> None:
    kind = text_in(step, "type") or ""
    if kind.endswith(_CALL):
        name = text_in(step, "name") or kind.removesuffix(_CALL)
        answer.call(("interaction", place), ToolCall(text_in(step, "id") or "", name))


def _texts(event: Json) -> Iterator[Text]:
    if "event_type" in event:
        yield from texts_of(event.get("delta"), ("text", "arguments"), place_in(event, "index"))
    content = object_in(event, "response") if _is_wrapped(event) else event
    for candidate in objects_in(content, "candidates"):
        for part in objects_in(object_in(candidate, "content"), "parts"):
            kind = "thought" if part.get("thought") is True else "text"
            yield from texts_of(part, ("text",), (place_in(candidate, "index"), kind))


DIALECT = Dialect(
    name="gemini",
    paths=(
        re.compile(rf"/models/(?P<model>[^/]+):(?P<stream>stream)?(?:{_METHODS})$"),
        re.compile(rf":(?P<stream>stream)?(?:{_METHODS})$"),
        re.compile(r"/interactions(?:/[^/]+)?$"),
    ),
    history=("contents", "input"),
    knows=_knows,
    read=_read,
    texts=_texts,
)
