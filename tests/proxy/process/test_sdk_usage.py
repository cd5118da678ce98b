"""The usage on record is what the provider sent to the official SDKs, and no good call is an error."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import boto3
import botocore.config
import openai
import pytest

from proxy.content.streams.frames import frame_bytes
from tests.fakes.provider import Order
from tests.proxy.served import Record, Served, new_key

KEY = "sk-ant-api03-QwErTzUiOpAsDfGhJkLyXcVbNmPlOkIj"
HELLO: Any = {"role": "user", "content": "Hello"}
# Seconds between the last event and the end of the body: some clients leave before it comes.
LINGERS = [0.0, 0.001, 0.02, 0.1]
Usage = dict[str, float]


def claude(base: str, key: str) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        api_key=KEY, base_url=f"{base}", default_headers={"X-Session-ID": key}, max_retries=0
    )


def gpt(base: str, key: str) -> openai.OpenAI:
    return openai.OpenAI(
        api_key=KEY, base_url=f"{base}/v1", default_headers={"X-Session-ID": key}, max_retries=0
    )


def of_anthropic(usage: Any) -> Usage:
    written = usage.cache_creation
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        **({"cache_creation_5m_tokens": written.ephemeral_5m_input_tokens} if written else {}),
        **({"cache_creation_1h_tokens": written.ephemeral_1h_input_tokens} if written else {}),
    }


def of_openai(given: int, said: int, cached: int, thought: int) -> Usage:
    """Return OpenAI's counts as they are on record, where the counts of input are disjoint."""
    return {
        "input_tokens": given - cached,
        "output_tokens": said,
        "cache_read_input_tokens": cached,
        "reasoning_tokens": thought,
    }


def message(base: str, key: str) -> Usage:
    with claude(base, key) as client:
        return of_anthropic(client.messages.create(model="m", max_tokens=9, messages=[HELLO]).usage)


def message_stream(base: str, key: str) -> Usage:
    with (
        claude(base, key) as client,
        client.messages.stream(model="m", max_tokens=9, messages=[HELLO]) as stream,
    ):
        return of_anthropic(stream.get_final_message().usage)


def of_chat(usage: Any) -> Usage:
    cached = usage.prompt_tokens_details.cached_tokens
    thought = usage.completion_tokens_details.reasoning_tokens
    return of_openai(usage.prompt_tokens, usage.completion_tokens, cached, thought)


def chat(base: str, key: str) -> Usage:
    with gpt(base, key) as client:
        return of_chat(client.chat.completions.create(model="m", messages=[HELLO]).usage)


def chat_stream(base: str, key: str) -> Usage:
    with gpt(base, key) as client:
        options: Any = {"include_usage": True}
        stream = client.chat.completions.create(
            model="m", messages=[HELLO], stream=True, stream_options=options
        )
        return of_chat(next(chunk.usage for chunk in stream if chunk.usage))


def of_response(usage: Any) -> Usage:
    cached, thought = usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
    return of_openai(usage.input_tokens, usage.output_tokens, cached, thought)


def response(base: str, key: str) -> Usage:
    with gpt(base, key) as client:
        return of_response(client.responses.create(model="m", input="Hello").usage)


def response_stream(base: str, key: str) -> Usage:
    with gpt(base, key) as client:
        events: Any = client.responses.create(model="m", input="Hello", stream=True)
        return of_response(next(each.response.usage for each in events if each.type == "response.completed"))


CALLS: dict[str, tuple[str, Callable[[str, str], Usage], dict[str, Any]]] = {
    each.__name__: (segment, each, usage)
    for segment, usage, calls in (
        (
            "anthropic",
            {
                "input_tokens": 21,
                "output_tokens": 34,
                "cache_read_input_tokens": 55,
                "cache_creation_input_tokens": 89,
            },
            (message, message_stream),
        ),
        (
            "openai",
            {
                "prompt_tokens": 89,
                "completion_tokens": 34,
                "prompt_tokens_details": {"cached_tokens": 55},
                "completion_tokens_details": {"reasoning_tokens": 13},
            },
            (chat, chat_stream),
        ),
        (
            "openai",
            {
                "input_tokens": 89,
                "output_tokens": 34,
                "input_tokens_details": {"cached_tokens": 55},
                "output_tokens_details": {"reasoning_tokens": 13},
            },
            (response, response_stream),
        ),
    )
    for each in calls
}


def assert_good(record: Record, usage: Mapping[str, float]) -> None:
    assert "error" not in record
    assert record["status"] == 200
    assert {name: count for name, count in record["usage"].items() if name in usage} == usage


@pytest.mark.parametrize("linger", LINGERS)
@pytest.mark.parametrize("name", CALLS)
def test_usage_is_as_the_sdk_got_it_whenever_the_body_ends(served: Served, name: str, linger: float) -> None:
    segment, call, usage = CALLS[name]
    key = new_key()
    served.provider.order(Order(usage=usage, linger=linger))
    got = call(served.url(segment), key)

    assert 34 in got.values()
    assert_good(served.call(key)[1], got)


CONVERSE_USAGE = {
    "inputTokens": 21,
    "outputTokens": 34,
    "totalTokens": 199,
    "cacheReadInputTokens": 55,
    "cacheWriteInputTokens": 89,
}


def converse_order(linger: float, *, stream: bool) -> Order:
    if not stream:
        message = {"role": "assistant", "content": [{"text": "Hello."}]}
        told = {"output": {"message": message}, "stopReason": "end_turn", "usage": CONVERSE_USAGE}
        return Order(body=json.dumps(told), linger=linger, framing="chunked")
    events: list[dict[str, Any]] = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "Hello."}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": CONVERSE_USAGE, "metrics": {"latencyMs": 1}}},
    ]
    kind = {":message-type": "event", ":content-type": "application/json"}
    frames = b"".join(
        frame_bytes({":event-type": name, **kind}, json.dumps(payload).encode())
        for each in events
        for name, payload in each.items()
    )
    return Order(
        body_base64=base64.b64encode(frames).decode(),
        headers=(("Content-Type", "application/vnd.amazon.eventstream"),),
        framing="chunked",
        linger=linger,
    )


@pytest.mark.parametrize("linger", LINGERS)
@pytest.mark.parametrize("stream", [False, True])
def test_usage_is_as_boto3_got_it_whenever_the_body_ends(
    served: Served, linger: float, *, stream: bool
) -> None:
    model = f"amazon.nova-{new_key()[:8]}-v1:0"
    served.provider.order(converse_order(linger, stream=stream))
    client: Any = boto3.client(
        "bedrock-runtime",
        endpoint_url=served.url("bedrock"),
        region_name="eu-central-1",
        config=botocore.config.Config(signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}),
    )
    asked: dict[str, Any] = {
        "modelId": model,
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "requestMetadata": {"session_id": model},
    }
    if stream:
        events = client.converse_stream(**asked)["stream"]
        got = next(each["metadata"]["usage"] for each in events if "metadata" in each)
    else:
        got = client.converse(**asked)["usage"]

    assert got == CONVERSE_USAGE
    record = served.response_of(model)
    usage = {
        "input_tokens": 21,
        "output_tokens": 34,
        "cache_read_input_tokens": 55,
        "cache_creation_input_tokens": 89,
    }
    assert_good(record, usage)
    assert (record["model"], record["stop_reason"]) == (model, "end_turn")
