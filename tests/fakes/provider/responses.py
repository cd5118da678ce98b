"""OpenAI ``POST /v1/responses``, with named, numbered events and no ``[DONE]``."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tests.fakes.provider import chat
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


def answer(order: Order, body: Mapping[str, Any], size: int) -> Answer:
    """Answer a request of ``size`` bytes, as a stream where it asks for one."""
    made = _response(order, body, size)
    if not body.get("stream"):
        return Answer(chat.headers(), orjson.dumps(made))
    events = tuple(_event(number, each) for number, each in enumerate(_stream(made, order)))
    return Answer(chat.headers(), events=events, error=_event(order.after, _error(order)))


def _error(order: Order) -> dict[str, Any]:
    text = order.message or "The server had an error while processing your request"
    return {"type": "error", "code": order.error_type or "server_error", "message": text, "param": None}


def _response(order: Order, body: Mapping[str, Any], size: int) -> dict[str, Any]:
    output = list(_items(order, body))
    incomplete = order.stop_reason in {"max_output_tokens", "content_filter"}
    return {
        "id": next_id("resp_", 48),
        "object": "response",
        "created_at": int(time.time()),
        "status": "incomplete" if incomplete else (order.stop_reason or "completed"),
        "error": None,
        "incomplete_details": {"reason": order.stop_reason} if incomplete else None,
        "instructions": body.get("instructions"),
        "model": body.get("model", "gpt-5"),
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "store": body.get("store", True),
        "temperature": 1.0,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "usage": _usage(order, size, len(dumps(output))),
        "metadata": body.get("metadata") or {},
    }


def _items(order: Order, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if order.thinking:
        summary = [{"type": "summary_text", "text": THOUGHT}]
        yield {"id": next_id("rs_", 48), "type": "reasoning", "summary": summary}
    part = {"type": "output_text", "text": spoken(order), "annotations": [], "logprobs": []}
    yield {
        "id": next_id("msg_", 48),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [part],
    }
    for tool in wanted_tools(order, body):
        yield {
            "id": next_id("fc_", 48),
            "type": "function_call",
            "status": "completed",
            "call_id": next_id("call_", 24),
            "name": tool.name,
            "arguments": dumps(tool.input),
        }


def _usage(order: Order, size: int, said: int) -> dict[str, Any]:
    read, written = tokens(size), tokens(said)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": read // 2 if read > 1024 else 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": tokens(len(THOUGHT)) if order.thinking else 0},
        "total_tokens": read + written,
        **order.usage,
    }


def _stream(made: dict[str, Any], order: Order) -> Iterator[dict[str, Any]]:
    opening = {**made, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield {"type": "response.created", "response": opening}
    yield {"type": "response.in_progress", "response": opening}
    for index, item in enumerate(made["output"]):
        opened, between = _ITEMS[item["type"]](item, order.deltas)
        yield {"type": "response.output_item.added", "output_index": index, "item": opened}
        for event in between:
            yield {"output_index": index, "item_id": item["id"], **event}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{made['status']}", "response": made}


_Opened = tuple[dict[str, Any], list[dict[str, Any]]]


def _message(item: dict[str, Any], count: int) -> _Opened:
    part = item["content"][0]
    place = {"content_index": 0}
    said = [
        {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
        for piece in pieces(part["text"], count)
    ]
    done = {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    return {**item, "status": "in_progress", "content": []}, [
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *said,
        done,
        {"type": "response.content_part.done", **place, "part": part},
    ]


def _function_call(item: dict[str, Any], count: int) -> _Opened:
    kind = "response.function_call_arguments"
    deltas = [{"type": f"{kind}.delta", "delta": piece} for piece in pieces(item["arguments"], count)]
    done = {"type": f"{kind}.done", "name": item["name"], "arguments": item["arguments"]}
    return {**item, "status": "in_progress", "arguments": ""}, [*deltas, done]


def _reasoning(item: dict[str, Any], count: int) -> _Opened:
    kind, place = "response.reasoning_summary_text", {"summary_index": 0}
    deltas = [{"type": f"{kind}.delta", **place, "delta": piece} for piece in pieces(THOUGHT, count)]
    return {**item, "summary": []}, [*deltas, {"type": f"{kind}.done", **place, "text": THOUGHT}]


_ITEMS = {"message": _message, "function_call": _function_call, "reasoning": _reasoning}


def _event(number: int, data: dict[str, Any]) -> bytes:
    body = orjson.dumps({"type": data["type"], "sequence_number": number, **data})
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), body)
