"""Amazon Bedrock's Converse, and what it adds to the answers of models that are invoked in their own words.

An event of a stream is an object of which the one member is named as the event.
"""

import re
from collections.abc import Iterator, Mapping

from proxy.content.dialects.dialect import Answer, Dialect, Text, ToolCall, texts_of
from proxy.content.document import Json, count_in, object_in, objects_in, place_in, text_in

_EVENTS = frozenset(
    {
        "messageStart",
        "contentBlockStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
        "metadata",
    }
)
# Bedrock adds it to the last event of every model's stream.
METRICS = "amazon-bedrock-invocationMetrics"
# The ends of Llama's and Titan's answers.
_OWN_REASONS = ("stop_reason", "completionReason")
_HEADERS = {
    "x-amzn-bedrock-input-token-count": "inputTokenCount",
    "x-amzn-bedrock-output-token-count": "outputTokenCount",
    "x-amzn-bedrock-cache-read-input-token-count": "cacheReadInputTokenCount",
    "x-amzn-bedrock-cache-write-input-token-count": "cacheWriteInputTokenCount",
}
_DIGITS = 16  # of what a reader of JSON takes as a whole number
_OWN = frozenset({METRICS, "generation", "outputText", "inputTextTokenCount"})


def _knows(document: Json) -> bool:
    if "output" in document and "stopReason" in document:
        return True
    return not (_EVENTS.isdisjoint(document) and _OWN.isdisjoint(document))


def _read(answer: Answer, document: Json) -> None:
    if "stopReason" in document:
        _whole(answer, document)
    elif not _OWN.isdisjoint(document):
        _own_words(answer, document)
    else:
        _event(answer, document)


def _whole(answer: Answer, document: Json) -> None:
    answer.stop_reason = text_in(document, "stopReason")
    answer.ended = True
    _tokens(answer, object_in(document, "usage"))
    message = object_in(object_in(document, "output"), "message")
    for at, block in enumerate(objects_in(message, "content")):
        _tool(answer, at, block)


def _event(answer: Answer, event: Json) -> None:
    start = object_in(event, "contentBlockStart")
    _tool(answer, place_in(start, "contentBlockIndex"), object_in(start, "start"))
    stop = object_in(event, "messageStop")
    answer.stop_reason = text_in(stop, "stopReason") or answer.stop_reason
    answer.ended = answer.ended or "messageStop" in event
    _tokens(answer, object_in(object_in(event, "metadata"), "usage"))


def _tool(answer: Answer, place: object, block: Json) -> None:
    used = object_in(block, "toolUse")
    if name := text_in(used, "name"):
        answer.call(("converse", place), ToolCall(text_in(used, "toolUseId") or "", name))


def _tokens(answer: Answer, counts: Json) -> None:
    written = {
        text_in(each, "ttl"): count_in(each, "inputTokens") for each in objects_in(counts, "cacheDetails")
    }
    answer.count(
        {
            "input_tokens": count_in(counts, "inputTokens"),
            "output_tokens": count_in(counts, "outputTokens"),
            "cache_read_input_tokens": count_in(counts, "cacheReadInputTokens"),
            "cache_creation_input_tokens": count_in(counts, "cacheWriteInputTokens"),
            "cache_creation_5m_tokens": written.get("5m"),
            "cache_creation_1h_tokens": written.get("1h"),
        }
    )


def _own_words(answer: Answer, document: Json) -> None:
    """Read Llama's and Titan's counts, and Bedrock's own, which end a stream."""
    result = next(iter(objects_in(document, "results")), document)
    reasons = (text_in(result, name) for name in _OWN_REASONS)
    answer.stop_reason = next(filter(None, reasons), answer.stop_reason)
    said = ("generation_token_count", "totalOutputTextTokenCount", "tokenCount")
    answer.count(
        {
            "input_tokens": _first(document, ("prompt_token_count", "inputTextTokenCount")),
            "output_tokens": _first(result, said),
        }
    )
    answer.ended = answer.ended or METRICS in document or answer.stop_reason is not None
    count_invocation(answer, object_in(document, METRICS))


def count_invocation(answer: Answer, metrics: Json) -> None:
    """Note what Bedrock counted, where the model itself did not tell."""
    if metrics and "output_tokens" not in answer.tokens:
        answer.count(
            {
                "input_tokens": count_in(metrics, "inputTokenCount"),
                "output_tokens": count_in(metrics, "outputTokenCount"),
                "cache_read_input_tokens": count_in(metrics, "cacheReadInputTokenCount"),
                "cache_creation_input_tokens": count_in(metrics, "cacheWriteInputTokenCount"),
            }
        )


def count_headers(answer: Answer, headers: Mapping[str, str]) -> None:
    """Note what the headers of an answer tell, by their names in small letters, where nothing else did."""
    counts = {
        metric: int(value)
        for name, metric in _HEADERS.items()
        if (value := headers.get(name, "")).isdecimal() and len(value) < _DIGITS
    }
    count_invocation(answer, counts)


def _first(holder: Json, names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := count_in(holder, name)) is not None), None)


def _tells_nothing(data: bytes) -> bool:
    return b'"contentBlockDelta"' in data[:64]


def _texts(event: Json) -> Iterator[Text]:
    block = object_in(event, "contentBlockDelta")
    delta, place = object_in(block, "delta"), place_in(block, "contentBlockIndex")
    yield from texts_of(delta, ("text",), place)
    yield from texts_of(delta.get("toolUse"), ("input",), place)
    yield from texts_of(delta.get("reasoningContent"), ("text",), (place, "reasoning"))
    yield from texts_of(event, ("generation", "outputText"), "own")


DIALECT = Dialect(
    name="bedrock",
    paths=(re.compile(r"/model/(?P<model>[^/]+)/converse(?P<stream>-stream)?$"),),
    history=("messages",),
    knows=_knows,
    read=_read,
    texts=_texts,
    tells_nothing=_tells_nothing,
)
