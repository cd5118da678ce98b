"""Anthropic ``POST /v1/messages``: https://docs.anthropic.com/en/api/messages-streaming."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tests.fakes.provider.answer import (
    THOUGHT,
    Answer,
    dumps,
    next_id,
    pieces,
    spoken,
    tokens,
    wanted_tools,
)
from tests.fakes.provider.order import Order

_ERRORS = {
    400: ("invalid_request_error", "messages: at least one message is required"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource"),
    404: ("not_found_error", "Not found"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit"),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def answer(order: Order, body: Mapping[str, Any], size: int) -> Answer:
    """Answer a request of ``size`` bytes, as a stream where it asks for one."""
    message = _message(order, body, size)
    if not body.get("stream"):
        return Answer(_headers(), orjson.dumps(message))
    kind, text = order.error_type or "overloaded_error", order.message or "Overloaded"
    error = _event("error", {"type": "error", "error": {"type": kind, "message": text}})
    events = tuple(_event(each["type"], each) for each in _stream(message, order))
    return Answer(_headers(), events=events, error=error, ping=_event("ping", {"type": "ping"}))


def refusal(order: Order) -> Answer:
    """Return an error answer."""
    kind, text = _ERRORS.get(order.status, ("api_error", "Something went wrong"))
    error = {"type": order.error_type or kind, "message": order.message or text}
    request = next_id("req_011C", 20)
    whole = orjson.dumps({"type": "error", "error": error, "request_id": request})
    waits = (("retry-after", "1"),) if order.status == 429 else ()
    return Answer((*_headers(request), *waits), whole)


def token_count(size: int) -> Answer:
    """Answer ``/v1/messages/count_tokens``."""
    return Answer(_headers(), orjson.dumps({"input_tokens": tokens(size)}))


def _headers(request: str = "") -> tuple[tuple[str, str], ...]:
    return (
        ("request-id", request or next_id("req_011C", 20)),
        ("anthropic-organization-id", "01234567-89ab-4cde-8f01-23456789abcd"),
        ("anthropic-ratelimit-requests-limit", "4000"),
        ("anthropic-ratelimit-requests-remaining", "3999"),
        ("anthropic-ratelimit-unified-status", "allowed"),
        ("Server", "cloudflare"),
    )


def _message(order: Order, body: Mapping[str, Any], size: int) -> dict[str, Any]:
    tools = wanted_tools(order, body)
    content: list[dict[str, Any]] = []
    if order.thinking:
        content.append({"type": "thinking", "thinking": THOUGHT, "signature": "EqQBCkYIBhgCIkDf4k=="})
    content.append({"type": "text", "text": spoken(order)})
    content += [
        {"type": "tool_use", "id": next_id("toolu_01"), "name": tool.name, "input": tool.input}
        for tool in tools
    ]
    return {
        "id": next_id("msg_01"),
        "type": "message",
        "role": "assistant",
        "model": body.get("model", "claude-sonnet-5-5"),
        "content": content,
        "stop_reason": order.stop_reason or ("tool_use" if tools else "end_turn"),
        "stop_sequence": None,
        "usage": _usage(order, body, size, len(dumps(content))),
    }


def _usage(order: Order, body: Mapping[str, Any], size: int, said: int) -> dict[str, Any]:
    total = tokens(size)
    cached = total // 2 if "cache_control" in str(body.get("system", "")) else 0
    created = total // 4 if cached else 0
    return {
        "input_tokens": total - cached - created,
        "cache_creation_input_tokens": created,
        "cache_read_input_tokens": cached,
        "cache_creation": {"ephemeral_5m_input_tokens": created, "ephemeral_1h_input_tokens": 0},
        "output_tokens": tokens(said),
        "service_tier": "standard",
        **order.usage,
    }


def _stream(message: dict[str, Any], order: Order) -> Iterator[dict[str, Any]]:
    usage = message["usage"]
    opening: dict[str, Any] = {"content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": {**message, **opening}}
    for index, block in enumerate(message["content"]):
        start, deltas = _BLOCKS[block["type"]](block, order.deltas)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    # Cumulative: repeats the input side, as the API does since it reports server tools.
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {name: usage[name] for name in usage if name.endswith("_tokens")},
    }
    yield {"type": "message_stop"}


_Opened = tuple[dict[str, Any], list[dict[str, Any]]]


def _text(block: dict[str, Any], count: int) -> _Opened:
    said = pieces(block["text"], count)
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in said]


def _thinking(block: dict[str, Any], count: int) -> _Opened:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], count)]
    deltas.append({"type": "signature_delta", "signature": block["signature"]})
    return {"type": "thinking", "thinking": "", "signature": ""}, deltas


def _tool_use(block: dict[str, Any], count: int) -> _Opened:
    fragments = pieces(dumps(block["input"]), count) if block["input"] else [""]
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in fragments]
    return {**block, "input": {}}, deltas


_BLOCKS = {"text": _text, "thinking": _thinking, "tool_use": _tool_use}


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))
