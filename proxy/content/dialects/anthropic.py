"""Anthropic's messages and its older completions, also where Bedrock and Vertex carry them."""

import re
from collections.abc import Callable, Iterator

from proxy.content.dialects.bedrock import METRICS, count_invocation
from proxy.content.dialects.dialect import Answer, Dialect, Text, ToolCall, texts_of
from proxy.content.document import Json, count_in, object_in, objects_in, place_in, text_in

_TOOL_BLOCKS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_BLOCK_TEXTS = ("text", "thinking", "partial_json")


def _knows(document: Json) -> bool:
    kind = document.get("type")
    return isinstance(kind, str) and kind in _READ


def _read(answer: Answer, document: Json) -> None:
    _READ[document["type"]](answer, document)


def _message(answer: Answer, document: Json) -> None:
    _head(answer, document)
    answer.ended = True
    for at, block in enumerate(objects_in(document, "content")):
        _block(answer, at, block)


def _head(answer: Answer, message: Json) -> None:
    answer.model = text_in(message, "model") or answer.model
    answer.response_id = text_in(message, "id") or answer.response_id
    answer.stop_reason = text_in(message, "stop_reason") or answer.stop_reason
    _tokens(answer, object_in(message, "usage"))


def _message_start(answer: Answer, event: Json) -> None:
    _head(answer, object_in(event, "message"))
    # The count at the start is a placeholder; only message_delta knows it.
    answer.tokens.pop("output_tokens", None)


def _block_start(answer: Answer, event: Json) -> None:
    _block(answer, place_in(event, "index"), object_in(event, "content_block"))


def _block(answer: Answer, place: object, block: Json) -> None:
    if text_in(block, "type") in _TOOL_BLOCKS:
        answer.call(("block", place), ToolCall(text_in(block, "id") or "", text_in(block, "name") or ""))


def _message_delta(answer: Answer, event: Json) -> None:
    answer.stop_reason = text_in(object_in(event, "delta"), "stop_reason") or answer.stop_reason
    # Cumulative, so it replaces what message_start said; but servers that do not know send zeros.
    known = dict(answer.tokens)
    _tokens(answer, object_in(event, "usage"))
    for name, count in known.items():
        answer.tokens[name] = answer.tokens.get(name) or count


def _message_stop(answer: Answer, event: Json) -> None:
    answer.ended = True
    count_invocation(answer, object_in(event, METRICS))


def _completion(answer: Answer, document: Json) -> None:
    _head(answer, document)
    answer.ended = answer.ended or answer.stop_reason is not None


def _nothing(_answer: Answer, _event: Json) -> None:
    """Take an event that tells nothing."""


def _tokens(answer: Answer, counts: Json) -> None:
    written = object_in(counts, "cache_creation")
    details = object_in(counts, "output_tokens_details")
    thought = count_in(details, "thinking_tokens")
    answer.count(
        {
            "input_tokens": count_in(counts, "input_tokens"),
            "output_tokens": count_in(counts, "output_tokens"),
            "cache_read_input_tokens": count_in(counts, "cache_read_input_tokens"),
            "cache_creation_input_tokens": count_in(counts, "cache_creation_input_tokens"),
            "cache_creation_5m_tokens": count_in(written, "ephemeral_5m_input_tokens"),
            "cache_creation_1h_tokens": count_in(written, "ephemeral_1h_input_tokens"),
            "reasoning_tokens": count_in(details, "reasoning_tokens") if thought is None else thought,
        }
    )


_READ: dict[str, Callable[[Answer, Json], None]] = {
    "message": _message,
    "completion": _completion,
    "message_start": _message_start,
    "content_block_start": _block_start,
    "content_block_delta": _nothing,
    "content_block_stop": _nothing,
    "message_delta": _message_delta,
    "message_stop": _message_stop,
    "ping": _nothing,
}


def _tells_nothing(data: bytes) -> bool:
    head = data[:96]
    return b'_delta"' in head and b'"content_block' in head


def _texts(event: Json) -> Iterator[Text]:
    if event.get("type") == "completion":
        yield from texts_of(event, ("completion",), "completion")
    elif event.get("type") == "content_block_delta":
        yield from texts_of(event.get("delta"), _BLOCK_TEXTS, place_in(event, "index"))


DIALECT = Dialect(
    name="anthropic",
    paths=(
        re.compile(r"/messages$|/complete$"),
        re.compile(r"/model/(?P<model>[^/]+)/invoke(?P<stream>-with-response-stream)?$"),
        re.compile(r"/models/(?P<model>[^/]+):(?P<stream>stream)?[rR]awPredict$"),
    ),
    history=("messages", "prompt"),
    knows=_knows,
    read=_read,
    texts=_texts,
    tells_nothing=_tells_nothing,
)
