"""OpenAI ``POST /v1/chat/completions``, with unnamed events and ``[DONE]``."""

import time
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

_DONE = b"data: [DONE]\n\n"
_ERRORS = {
    400: ("invalid_request_error", "Invalid value for 'messages'"),
    401: ("invalid_request_error", "Incorrect API key provided"),
    404: ("invalid_request_error", "The model does not exist or you do not have access to it"),
    429: ("rate_limit_exceeded", "Rate limit reached for requests"),
    500: ("server_error", "The server had an error while processing your request"),
}


def answer(order: Order, body: Mapping[str, Any], size: int) -> Answer:
    """Answer a request of ``size`` bytes; a stream has usage only where it was asked for."""
    made = _completion(order, body, size)
    if not body.get("stream"):
        return Answer(headers(), orjson.dumps(made))
    options = body.get("stream_options") or {}
    chunks = _chunks(made, order, with_usage=bool(options.get("include_usage")))
    events = (*(_event(each) for each in chunks), _DONE)
    return Answer(headers(), events=events, error=_event(_error(order, 500)))


def refusal(order: Order) -> Answer:
    """Return an error answer."""
    waits = (("retry-after-ms", "1000"),) if order.status == 429 else ()
    return Answer((*headers(), *waits), orjson.dumps(_error(order, order.status)))


def headers() -> tuple[tuple[str, str], ...]:
    """Return what OpenAI sends with every answer."""
    return (
        ("x-request-id", next_id("req_", 32)),
        ("openai-organization", "example-org"),
        ("openai-processing-ms", "12"),
        ("openai-version", "2020-10-01"),
        ("x-ratelimit-limit-requests", "10000"),
        ("x-ratelimit-remaining-requests", "9999"),
        ("Server", "cloudflare"),
    )


def _error(order: Order, status: int) -> dict[str, Any]:
    kind, text = _ERRORS.get(status, ("server_error", "Something went wrong"))
    error = {"message": order.message or text, "type": order.error_type or kind, "param": None, "code": None}
    return {"error": error}


def _completion(order: Order, body: Mapping[str, Any], size: int) -> dict[str, Any]:
    calls = [
        {
            "id": next_id("call_", 24),
            "type": "function",
            "function": {"name": tool.name, "arguments": dumps(tool.input)},
        }
        for tool in wanted_tools(order, body)
    ]
    message: dict[str, Any] = {"role": "assistant", "content": spoken(order), "refusal": None}
    if order.thinking:
        message["reasoning_content"] = THOUGHT
    if calls:
        message["tool_calls"] = calls
    finish = order.stop_reason or ("tool_calls" if calls else "stop")
    return {
        "id": next_id("chatcmpl-", 29),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.get("model", "gpt-5"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": _usage(order, size, len(dumps(message))),
        "service_tier": "default",
        "system_fingerprint": "fp_0123456789",
    }


def _usage(order: Order, size: int, said: int) -> dict[str, Any]:
    read, written = tokens(size), tokens(said)
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": read // 2 if read > 1024 else 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": tokens(len(THOUGHT)) if order.thinking else 0},
        **order.usage,
    }


def _chunks(made: dict[str, Any], order: Order, *, with_usage: bool) -> Iterator[dict[str, Any]]:
    frame = {name: made[name] for name in ("id", "created", "model", "service_tier", "system_fingerprint")}
    frame["object"] = "chat.completion.chunk"
    extra = {"usage": None} if with_usage else {}
    message, finish = made["choices"][0]["message"], made["choices"][0]["finish_reason"]
    for delta in _deltas(message, order.deltas):
        yield {**frame, "choices": [_choice(delta, None)], **extra}
    yield {**frame, "choices": [_choice({}, finish)], **extra}
    if with_usage:
        yield {**frame, "choices": [], "usage": made["usage"]}


def _choice(delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _deltas(message: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": "", "refusal": None}
    for piece in pieces(message.get("reasoning_content", ""), count):
        yield {"reasoning_content": piece}
    for piece in pieces(message["content"], count):
        yield {"content": piece}
    for index, call in enumerate(message.get("tool_calls", [])):
        arguments = call["function"]["arguments"]
        opening = {**call, "index": index, "function": {**call["function"], "arguments": ""}}
        yield {"tool_calls": [opening]}
        for piece in pieces(arguments, count):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _event(data: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % orjson.dumps(data)
