from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.content.answer import DialectReader, MessagesReader, read_body
from proxy.content.dialects.dialect import Answer, ToolCall

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "model": "claude-sonnet-5-5",
    "content": [
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"a": 1}},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 0,
        "service_tier": "standard",
    },
}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                    {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": ""}},
                ],
            },
        }
    ],
    "usage": {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 40}},
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "model": "gpt-5-codex",
    "status": "completed",
    "output": [
        {"type": "reasoning", "id": "rs_1"},
        {"type": "function_call", "call_id": "call_1", "name": "shell", "arguments": "{}"},
    ],
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 10},
        "output_tokens": 5,
    },
}


def body(document: Any) -> Answer:
    return read_body(orjson.dumps(document))


def stream(*events: Any) -> Answer:
    reader = DialectReader()
    for event in events:
        reader.feed(event if isinstance(event, bytes) else orjson.dumps(event))
    return reader.finish()


def test_an_anthropic_message() -> None:
    assert body(MESSAGE) == Answer(
        model="claude-sonnet-5-5",
        stop_reason="tool_use",
        response_id="msg_1",
        tokens={
            "input_tokens": 10,
            "output_tokens": 20,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 0,
        },
        tool_calls=[ToolCall("toolu_1", "Bash"), ToolCall("srvtoolu_1", "web_search")],
        ended=True,
        dialect="anthropic",
    )


def test_a_chat_completion_with_its_cached_tokens_taken_out_of_the_input() -> None:
    assert body(CHAT) == Answer(
        model="gpt-5",
        stop_reason="tool_calls",
        response_id="chatcmpl-1",
        tokens={"cache_read_input_tokens": 40, "input_tokens": 60, "output_tokens": 7},
        tool_calls=[ToolCall("call_1", "f"), ToolCall("call_2", "g")],
        ended=True,
        dialect="openai_chat",
    )


def test_a_response_with_tools_ends_in_tool_use() -> None:
    assert body(RESPONSE) == Answer(
        model="gpt-5-codex",
        stop_reason="tool_use",
        response_id="resp_1",
        tokens={
            "cache_read_input_tokens": 60,
            "cache_creation_input_tokens": 10,
            "input_tokens": 30,
            "output_tokens": 5,
        },
        tool_calls=[ToolCall("call_1", "shell")],
        ended=True,
        dialect="openai_responses",
    )


@pytest.mark.parametrize(
    ("change", "stop_reason", "failure"),
    [
        ({"output": []}, "completed", None),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            "max_output_tokens",
            None,
        ),
        ({"status": "in_progress"}, "in_progress", None),
        (
            {"status": "failed", "output": [], "error": {"code": "server_error", "message": "Sorry"}},
            "failed",
            "server_error: Sorry",
        ),
    ],
)
def test_a_response_stops_as_its_status_says(
    change: dict[str, Any], stop_reason: str, failure: str | None
) -> None:
    read = body(RESPONSE | change)

    assert (read.stop_reason, read.failure) == (stop_reason, failure)


@pytest.mark.parametrize(
    "unknown",
    [b"", b"[]", b"7", b"{", b"\xff", b"null"],
)
def test_what_is_no_answer_tells_nothing(unknown: bytes) -> None:
    assert read_body(unknown) == Answer()


START = {
    "type": "message_start",
    "message": {
        "id": "msg_2",
        "model": "claude-opus-5-5",
        "content": [],
        "usage": {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": 4},
    },
}
TEXT = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
TOOL = {
    "type": "content_block_start",
    "index": 1,
    "content_block": {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}},
}
END = {
    "type": "message_delta",
    "delta": {"stop_reason": "tool_use"},
    "usage": {"output_tokens": 12, "input_tokens": 11},
}


def test_an_anthropic_stream_whose_last_counts_replace_the_first() -> None:
    assert stream(START, {"type": "ping"}, TEXT, TOOL, END, {"type": "message_stop"}) == Answer(
        model="claude-opus-5-5",
        stop_reason="tool_use",
        response_id="msg_2",
        tokens={"input_tokens": 11, "cache_read_input_tokens": 4, "output_tokens": 12},
        tool_calls=[ToolCall("toolu_1", "Read")],
        ended=True,
        dialect="anthropic",
    )


def test_a_stream_cut_before_its_end_has_no_output_count() -> None:
    assert stream(START, TEXT).tokens == {"input_tokens": 9, "cache_read_input_tokens": 4}


def test_an_error_within_a_stream_is_a_failure() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}

    assert stream(START, error).failure == "overloaded_error: Overloaded"
    assert stream({"type": "error", "code": "x", "message": "y"}).failure == "x: y"
    assert stream({"error": {"message": "vllm died"}}).failure == "error: vllm died"
    assert stream({"error": "plain"}).failure == "error: plain"


def chat_chunk(delta: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": None, **more}]
    return {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-5", "choices": choices}


def test_a_chat_stream_with_fragments_of_tool_calls() -> None:
    def call(index: int, **fields: Any) -> dict[str, Any]:
        return {"tool_calls": [{"index": index, **fields}]}

    read = stream(
        chat_chunk({"role": "assistant", "content": ""}),
        chat_chunk(call(0, id="call_1", function={"name": "f", "arguments": ""})),
        chat_chunk(call(0, function={"arguments": "{"})),
        chat_chunk(call(1, id="call_2", function={"name": "g", "arguments": "{}"})),
        chat_chunk({}, finish_reason="tool_calls"),
        chat_chunk() | {"usage": {"prompt_tokens": 3, "completion_tokens": 2}},
        b"[DONE]",
    )

    assert read == Answer(
        model="gpt-5",
        stop_reason="tool_calls",
        response_id="c1",
        tokens={"input_tokens": 3, "output_tokens": 2},
        tool_calls=[ToolCall("call_1", "f"), ToolCall("call_2", "g")],
        ended=True,
        dialect="openai_chat",
    )


def test_a_chat_stream_without_usage_has_no_counts() -> None:
    assert stream(chat_chunk({"content": "x"}), chat_chunk({}, finish_reason="stop")).tokens == {}


def test_a_chat_stream_written_with_spaces_is_read_too() -> None:
    chunks = [
        chat_chunk({"content": "x"}),
        chat_chunk({"content": "y"}),
        chat_chunk({}, finish_reason="length"),
    ]
    spaced = [orjson.dumps(each).replace(b'":', b'": ').replace(b',"', b', "') for each in chunks]

    assert stream(*spaced).stop_reason == "length"


def test_a_response_stream_whose_items_were_told_one_by_one() -> None:
    item = {"type": "custom_tool_call", "call_id": "call_9", "name": "apply_patch", "input": ""}
    completed = RESPONSE | {"output": []}

    read = stream(
        {
            "type": "response.created",
            "response": {"id": "resp_1", "model": "gpt-5-codex", "status": "in_progress"},
        },
        {"type": "response.output_text.delta", "delta": "x", "item_id": "i"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": completed},
    )

    assert read.tool_calls == [ToolCall("call_9", "apply_patch")]
    assert read.stop_reason == "tool_use"
    assert read.response_id == "resp_1"
    assert read.tokens["output_tokens"] == 5


def test_a_response_stream_that_failed() -> None:
    failed = {
        "type": "response.failed",
        "response": {"status": "failed", "error": {"code": "e", "message": "m"}},
    }

    assert stream(failed).failure == "e: m"


def test_a_response_stream_cut_after_its_start_knows_its_model() -> None:
    created = {
        "type": "response.created",
        "response": {"id": "resp_7", "model": "gpt-5", "status": "in_progress"},
    }

    assert stream(created) == Answer(model="gpt-5", response_id="resp_7", dialect="openai_responses")


def test_words_of_the_model_cannot_pass_for_the_protocol() -> None:
    says = chat_chunk({"content": 'print("finish_reason":"stop", "usage":{"prompt_tokens":1}, "error")'})

    assert stream(chat_chunk({"content": "a"}), says).stop_reason is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "type",
        "message",
        "usage",
        "choices",
        "delta",
        "error",
        "object",
        "response",
        "output",
        "content",
        "item",
    ]
)
KINDS = st.sampled_from(
    ["message", "message_start", "message_delta", "error", "response.completed", "response"]
)


@given(st.dictionaries(NAMES, JSON_VALUES | KINDS | st.dictionaries(NAMES, JSON_VALUES | KINDS), max_size=6))
def test_no_answer_of_any_shape_is_an_error(document: dict[str, Any]) -> None:
    body(document)
    stream(document)


def test_a_reply_over_a_websocket_is_the_same_as_over_http() -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    events = [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"id": "r", "output": [item]}},
    ]
    reader = MessagesReader("/v1/responses")
    for event in events:
        reader.feed(orjson.dumps(event))

    assert reader.finish().reply == stream(*events).reply != b""
