"""What a provider said of a call: model, stop reason, token counts, tool calls, its own id.

Told by the shape of the answer, not by the host, as many hosts speak these dialects: Anthropic messages,
OpenAI chat completions and OpenAI responses, streamed and not. Nothing is guessed: unknown stays absent.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import orjson

Json = dict[str, Any]

_TOOL_BLOCKS = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})
_TOOL_ITEMS = frozenset({"function_call", "custom_tool_call", "mcp_call"})
# The terminal events of a response stream; each holds the whole response.
_RESPONSE_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool that the model called."""

    id: str
    name: str


@dataclass(slots=True)
class Usage:
    """What is known by now. The token counts are disjoint: cached input is no part of ``input_tokens``."""

    model: str | None = None
    stop_reason: str | None = None
    response_id: str | None = None
    tokens: dict[str, int] = field(default_factory=dict)
    tool_calls: list[ToolCall] = field(default_factory=list)
    failure: str | None = None
    """What the provider reported as an error after it had answered 200."""


def read_body(body: bytes) -> Usage:
    """Read a whole answer; anything but a JSON object tells nothing."""
    usage = Usage()
    document = parse_object(body)
    if document is not None:
        _document(usage, document)
    return usage


def parse_object(body: bytes | str) -> Json | None:
    """Return a JSON object, or None for anything else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


class StreamUsage:
    """Reads the data of a stream's events, one after the other."""

    def __init__(self) -> None:
        self.usage = Usage()
        self._tools: dict[tuple[Any, ...], ToolCall] = {}

    def feed(self, data: bytes) -> None:
        """Take one event's data; what is no JSON object (``[DONE]``) tells nothing."""
        if _tells_nothing(data) and self.usage.model is not None:
            return
        event = parse_object(data)
        if event is None:
            return
        reader = _EVENTS.get(_text(event, "type") or "")
        if reader is not None:
            reader(self, event)
        elif "choices" in event or "error" in event:
            self._chat_chunk(event)

    def finish(self) -> Usage:
        """Return what the stream told."""
        if self._tools:
            self.usage.tool_calls = list(self._tools.values())
        if self.usage.stop_reason == "completed" and self._tools:
            self.usage.stop_reason = "tool_use"
        return self.usage

    def _message_start(self, event: Json) -> None:
        message = _object(event, "message")
        _anthropic(self.usage, message)
        # The count at the start is a placeholder; only message_delta knows it.
        self.usage.tokens.pop("output_tokens", None)

    def _block_start(self, event: Json) -> None:
        block = _object(event, "content_block")
        if block.get("type") in _TOOL_BLOCKS:
            self._tools["block", event.get("index")] = _tool(block, "id")

    def _message_delta(self, event: Json) -> None:
        self.usage.stop_reason = _text(_object(event, "delta"), "stop_reason") or self.usage.stop_reason
        # Cumulative, so it replaces what message_start said.
        self.usage.tokens |= _anthropic_tokens(_object(event, "usage"))

    def _error(self, event: Json) -> None:
        self.usage.failure = _failure(event)

    def _response_start(self, event: Json) -> None:
        response = _object(event, "response")
        self.usage.model = _text(response, "model") or self.usage.model
        self.usage.response_id = _text(response, "id") or self.usage.response_id

    def _item_done(self, event: Json) -> None:
        item = _object(event, "item")
        if item.get("type") in _TOOL_ITEMS:
            self._tools["item", event.get("output_index")] = _tool(item, "call_id")

    def _response_end(self, event: Json) -> None:
        _response(self.usage, _object(event, "response"))

    def _chat_chunk(self, event: Json) -> None:
        _chat_head(self.usage, event)
        for choice in _objects(event, "choices"):
            self.usage.stop_reason = _text(choice, "finish_reason") or self.usage.stop_reason
            for call in _objects(_object(choice, "delta"), "tool_calls"):
                name = _text(_object(call, "function"), "name")
                place = ("chat", choice.get("index"), call.get("index"))
                if name and place not in self._tools:
                    self._tools[place] = ToolCall(_text(call, "id") or "", name)


_EVENTS: dict[str, Callable[[StreamUsage, Json], None]] = {
    "message_start": StreamUsage._message_start,  # noqa: SLF001 - the table is the class's own
    "content_block_start": StreamUsage._block_start,  # noqa: SLF001
    "message_delta": StreamUsage._message_delta,  # noqa: SLF001
    "error": StreamUsage._error,  # noqa: SLF001
    "response.created": StreamUsage._response_start,  # noqa: SLF001
    "response.output_item.done": StreamUsage._item_done,  # noqa: SLF001
    **dict.fromkeys(_RESPONSE_ENDS, StreamUsage._response_end),  # noqa: SLF001
}


def _tells_nothing(data: bytes) -> bool:
    """Tell the many events that only carry text, by their bytes: parsing each would cost most of a stream.

    Inside a JSON string quotes are escaped, so none of these patterns can match in a text.
    """
    head = data[:96]
    if b'_delta"' in head and b'"content_block' in head:
        return True
    if b'.delta"' in head and b'"response.' in head:
        return True
    return (
        (b'"finish_reason":null' in data or b'"finish_reason": null' in data)
        and b'"tool_calls"' not in data
        and (b'"usage"' not in data or b'"usage":null' in data or b'"usage": null' in data)
        and b'"finish_reason":"' not in data
        and b'"error"' not in data
    )


def _document(usage: Usage, document: Json) -> None:
    if document.get("type") == "message":
        _anthropic(usage, document)
        blocks = _objects(document, "content")
        usage.tool_calls = [_tool(block, "id") for block in blocks if block.get("type") in _TOOL_BLOCKS]
    elif document.get("object") == "response":
        _response(usage, document)
    elif "choices" in document:
        _chat(usage, document)


def _anthropic(usage: Usage, message: Json) -> None:
    usage.model = _text(message, "model")
    usage.response_id = _text(message, "id")
    usage.stop_reason = _text(message, "stop_reason")
    usage.tokens = _anthropic_tokens(_object(message, "usage"))


def _anthropic_tokens(counts: Json) -> dict[str, int]:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return {name: counts[name] for name in names if _is_count(counts.get(name))}


def _chat(usage: Usage, document: Json) -> None:
    _chat_head(usage, document)
    for choice in _objects(document, "choices"):
        usage.stop_reason = _text(choice, "finish_reason") or usage.stop_reason
        for call in _objects(_object(choice, "message"), "tool_calls"):
            named = _object(call, "function") or _object(call, "custom")
            usage.tool_calls.append(ToolCall(_text(call, "id") or "", _text(named, "name") or ""))


def _chat_head(usage: Usage, document: Json) -> None:
    usage.model = usage.model or _text(document, "model")
    usage.response_id = usage.response_id or _text(document, "id")
    counts = _object(document, "usage")
    if counts:
        usage.tokens = _openai_tokens(counts, "prompt_tokens", "completion_tokens")
    if document.get("error"):
        usage.failure = _failure(document)


def _response(usage: Usage, response: Json) -> None:
    usage.model = _text(response, "model") or usage.model
    usage.response_id = _text(response, "id") or usage.response_id
    counts = _object(response, "usage")
    if counts:
        usage.tokens = _openai_tokens(counts, "input_tokens", "output_tokens")
    items = _objects(response, "output")
    usage.tool_calls = [_tool(item, "call_id") for item in items if item.get("type") in _TOOL_ITEMS]
    status = _text(response, "status")
    reason = _text(_object(response, "incomplete_details"), "reason")
    usage.stop_reason = reason or ("tool_use" if status == "completed" and usage.tool_calls else status)
    if status == "failed":
        usage.failure = _failure(response)


def _openai_tokens(counts: Json, into: str, out: str) -> dict[str, int]:
    """Return disjoint counts: OpenAI counts cached tokens inside its input tokens."""
    details = _object(counts, f"{into}_details")
    tokens: dict[str, int] = {}
    cached = {
        "cache_read_input_tokens": details.get("cached_tokens"),
        "cache_creation_input_tokens": details.get("cache_write_tokens"),
    }
    tokens |= {name: count for name, count in cached.items() if _is_count(count)}
    if _is_count(counts.get(into)):
        tokens["input_tokens"] = max(0, counts[into] - sum(tokens.values()))
    if _is_count(counts.get(out)):
        tokens["output_tokens"] = counts[out]
    return tokens


def _failure(holder: Json) -> str:
    error = holder.get("error")
    if not isinstance(error, dict):
        error = holder if error is None else {"message": error}
    kind = _text(error, "type") or _text(error, "code") or "error"
    return f"{kind}: {_text(error, 'message') or ''}".rstrip(": ")


def _tool(holder: Json, id_field: str) -> ToolCall:
    return ToolCall(_text(holder, id_field) or "", _text(holder, "name") or "")


def _text(holder: Json, name: str) -> str | None:
    value = holder.get(name)
    return value if isinstance(value, str) and value else None


def _object(holder: Json, name: str) -> Json:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _objects(holder: Json, name: str) -> list[Json]:
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
