"""Each dialect, plain, streamed, cut, failed, with tools and cached tokens: bytes in, what they told out."""

import base64
import json
from typing import Any

import pytest

from proxy.content.answer import AnswerReader, read_body
from proxy.content.dialects.dialect import Answer
from tests.event_stream import event_frames, frame


def sse(*events: Any, done: bool = False) -> bytes:
    lines = [f"data: {json.dumps(each)}\n\n" for each in events]
    return ("".join(lines) + ("data: [DONE]\n\n" if done else "")).encode()


def ndjson(*events: Any) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in events).encode()


def chunk_frames(*events: Any) -> bytes:
    carried = (base64.b64encode(json.dumps(each).encode()).decode() for each in events)
    return b"".join(frame({"bytes": each}, message_type="event", event_type="chunk") for each in carried)


ANTHROPIC: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "model": "claude-x",
            "usage": {
                "input_tokens": 9,
                "output_tokens": 1,
                "cache_read_input_tokens": 4,
                "cache_creation_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 2},
            },
        },
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "tool_use", "id": "t1", "name": "Read"},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use"},
        "usage": {"input_tokens": 0, "output_tokens": 12},
    },
    {"type": "message_stop"},
]
CHAT = [
    {
        "id": "c1",
        "model": "gpt-x",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}, "finish_reason": None}],
    },
    {
        "id": "c1",
        "model": "gpt-x",
        "choices": [
            {
                "index": 0,
                "delta": {
                    "tool_calls": [{"index": 0, "id": "t1", "function": {"name": "Read", "arguments": "{}"}}]
                },
                "finish_reason": None,
            }
        ],
    },
    {
        "id": "c1",
        "model": "gpt-x",
        "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
        "usage": {
            "prompt_tokens": 20,
            "completion_tokens": 12,
            "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 7},
            "completion_tokens_details": {"reasoning_tokens": 3},
            "cost": 0.5,
        },
    },
]
RESPONSE: dict[str, Any] = {
    "id": "r1",
    "object": "response",
    "model": "gpt-x",
    "status": "completed",
    "output": [{"type": "function_call", "call_id": "t1", "name": "Read"}],
    "usage": {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 7},
        "output_tokens": 12,
        "output_tokens_details": {"reasoning_tokens": 3},
    },
}
RESPONSES = [
    {"type": "response.created", "response": {"id": "r1", "model": "gpt-x", "status": "in_progress"}},
    {"type": "response.output_text.delta", "delta": "Hi", "item_id": "i"},
    {"type": "response.output_item.done", "output_index": 0, "item": RESPONSE["output"][0]},
    {"type": "response.completed", "response": {**RESPONSE, "output": []}},
]
GEMINI = [
    {
        "candidates": [{"content": {"parts": [{"text": "Hi"}]}, "index": 0}],
        "modelVersion": "gemini-x",
        "responseId": "g1",
    },
    {
        "candidates": [
            {
                "content": {"parts": [{"functionCall": {"id": "t1", "name": "Read", "args": {}}}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "modelVersion": "gemini-x",
        "responseId": "g1",
        "usageMetadata": {
            "promptTokenCount": 13,
            "cachedContentTokenCount": 4,
            "candidatesTokenCount": 9,
            "thoughtsTokenCount": 3,
        },
    },
]
INTERACTION = {
    "id": "x1",
    "object": "interaction",
    "model": "gemini-x",
    "status": "requires_action",
    "usage": {
        "total_input_tokens": 13,
        "total_cached_tokens": 4,
        "total_output_tokens": 9,
        "total_thought_tokens": 3,
        "total_tokens": 25,
    },
}
INTERACTIONS = [
    {
        "event_type": "interaction.created",
        "interaction": {"id": "x1", "object": "interaction", "model": "gemini-x", "status": "in_progress"},
    },
    {
        "event_type": "step.start",
        "index": 0,
        "step": {"type": "function_call", "id": "t1", "name": "Read", "arguments": {}},
    },
    {"event_type": "step.delta", "index": 0, "delta": {"type": "arguments_delta", "arguments": "{}"}},
    {"event_type": "interaction.completed", "interaction": INTERACTION},
]
CONVERSE: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {
        "contentBlockStart": {
            "start": {"toolUse": {"toolUseId": "t1", "name": "Read"}},
            "contentBlockIndex": 0,
        }
    },
    {"contentBlockDelta": {"delta": {"toolUse": {"input": "{}"}}, "contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "tool_use"}},
    {
        "metadata": {
            "usage": {
                "inputTokens": 9,
                "outputTokens": 12,
                "cacheReadInputTokens": 4,
                "cacheWriteInputTokens": 7,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 2}, {"ttl": "5m", "inputTokens": 5}],
            }
        }
    },
]
OLLAMA = [
    {"model": "llama-x", "message": {"content": "Hi"}, "done": False},
    {
        "model": "llama-x",
        "message": {"content": "", "tool_calls": [{"function": {"name": "Read", "arguments": {}}}]},
        "done": False,
    },
    {
        "model": "llama-x",
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 9,
        "eval_count": 12,
    },
]
RUN = {
    "id": "run_1",
    "object": "thread.run",
    "model": "gpt-x",
    "status": "requires_action",
    "required_action": {
        "submit_tool_outputs": {
            "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "Read"}}]
        }
    },
    "usage": {"prompt_tokens": 9, "completion_tokens": 12},
}
STREAM = "text/event-stream"
FRAMES = "application/vnd.amazon.eventstream"
CASES = {
    "anthropic": ("/v1/messages", STREAM, sse(*ANTHROPIC)),
    "anthropic on bedrock": ("/model/claude-x/invoke-with-response-stream", FRAMES, chunk_frames(*ANTHROPIC)),
    "chat": ("/v1/chat/completions", STREAM, sse(*CHAT, done=True)),
    "responses": ("/v1/responses", STREAM, sse(*RESPONSES)),
    "response": ("/v1/responses/r1", "application/json", json.dumps(RESPONSE).encode()),
    "gemini": ("/v1beta/models/gemini-x:streamGenerateContent", STREAM, sse(*GEMINI)),
    "gemini list": (
        "/v1beta/models/gemini-x:streamGenerateContent",
        "application/json",
        json.dumps(GEMINI).encode(),
    ),
    "interactions": ("/v1beta/interactions", STREAM, sse(*INTERACTIONS)),
    "converse": ("/model/nova/converse-stream", FRAMES, event_frames(*CONVERSE)),
    "ollama": ("/api/chat", "application/x-ndjson", ndjson(*OLLAMA)),
    "assistants": ("/v1/threads/t/runs", STREAM, sse(RUN, done=True)),
}
# What each tells beyond 9 tokens in and 12 out: the dialect, the model, the cached tokens.
TOLD: dict[str, tuple[str, str | None, dict[str, float]]] = {
    "anthropic": (
        "anthropic",
        "claude-x",
        {
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 7,
            "cache_creation_5m_tokens": 5,
            "cache_creation_1h_tokens": 2,
        },
    ),
    "chat": (
        "openai_chat",
        "gpt-x",
        {
            "cache_read_input_tokens": 4,
            "cache_creation_input_tokens": 7,
            "reasoning_tokens": 3,
            "cost": 0.5,
        },
    ),
    "responses": (
        "openai_responses",
        "gpt-x",
        {"cache_read_input_tokens": 4, "cache_creation_input_tokens": 7, "reasoning_tokens": 3},
    ),
    "gemini": ("gemini", "gemini-x", {"cache_read_input_tokens": 4, "reasoning_tokens": 3}),
    "ollama": ("ollama", "llama-x", {}),
    "assistants": ("openai_assistants", "gpt-x", {}),
}
TOLD["anthropic on bedrock"] = TOLD["anthropic"]
TOLD["response"] = TOLD["responses"]
TOLD["gemini list"] = TOLD["interactions"] = TOLD["gemini"]
TOLD["converse"] = ("bedrock", "nova", TOLD["anthropic"][2])


def read(case: str, data: bytes, piece: int = 1 << 20) -> Answer:
    path, content_type, _ = CASES[case]
    reader = AnswerReader(path, content_type)
    for at in range(0, len(data), piece):
        reader.feed(data[at : at + piece])
    return reader.finish()


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize("case", CASES)
def test_an_answer_tells_the_same_wherever_it_is_cut(case: str, piece: int) -> None:
    answer = read(case, CASES[case][2], piece)
    dialect, model, more = TOLD[case]

    assert (answer.dialect, answer.model) == (dialect, model)
    assert answer.tokens == {"input_tokens": 9, "output_tokens": 12, **more}
    assert [each.name for each in answer.tool_calls] == ["Read"]
    assert [each.id for each in answer.tool_calls] in (["t1"], [""])
    assert answer.stop_reason in {"tool_use", "tool_calls", "STOP", "stop", "requires_action", "completed"}
    assert answer.ended
    assert answer.failure is None


@pytest.mark.parametrize("case", CASES)
def test_an_answer_is_complete_only_with_its_end(case: str) -> None:
    data = CASES[case][2]
    half = read(case, data[: len(data) // 3])

    assert not half.ended
    assert half.failure is None


@pytest.mark.parametrize("case", ["anthropic", "chat", "responses", "gemini", "ollama", "converse"])
def test_a_stream_without_a_content_type_is_read_all_the_same(case: str) -> None:
    answer = read_body(CASES[case][2])

    assert answer.tokens["output_tokens"] == 12
    assert answer.ended


def test_the_last_event_ends_each_stream_though_its_body_does_not() -> None:
    assert read("gemini list", json.dumps(GEMINI).encode()[:-1]).ended
    assert read("chat", sse(*CHAT)).ended
    assert read("ollama", ndjson(*OLLAMA)[:-1]).ended


@pytest.mark.parametrize(
    ("path", "content_type", "data", "failure"),
    [
        (
            "/v1/messages",
            STREAM,
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n',
            "overloaded_error: busy",
        ),
        ("/v1/messages", STREAM, b'event: error\ndata: {"message":"gone"}\n\n', "error: gone"),
        ("/v1/messages", STREAM, b"event: error\ndata: Bad gateway\n\n", "error: Bad gateway"),
        (
            "/v1/chat/completions",
            "application/json",
            b'{"error":{"type":"server_error","code":"busy","message":"later"}}',
            "server_error (busy): later",
        ),
        (
            "/v1/chat/completions",
            STREAM,
            sse({"choices": [{"index": 0, "delta": {}, "error": {"code": 502, "message": "bad"}}]}),
            "502: bad",
        ),
        (
            "/v1beta/models/g:generateContent",
            "application/json",
            b'[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota"}}]',
            "RESOURCE_EXHAUSTED (429): quota",
        ),
        (
            "/model/m/converse-stream",
            FRAMES,
            frame({"message": "slow"}, message_type="exception", exception_type="throttlingException"),
            "throttlingException: slow",
        ),
        ("/api/chat", "application/x-ndjson", b'{"error":"model not found"}\n', "error: model not found"),
        (
            "/v1/responses",
            STREAM,
            sse({"type": "error", "code": "rate_limit_exceeded", "message": "wait"}),
            "rate_limit_exceeded: wait",
        ),
        (
            "/v1/threads/t/runs",
            STREAM,
            sse({**RUN, "status": "failed", "last_error": {"code": "server_error", "message": "m"}}),
            "server_error: m",
        ),
    ],
)
def test_an_error_within_a_200_is_told_with_its_code(
    path: str, content_type: str, data: bytes, failure: str
) -> None:
    reader = AnswerReader(path, content_type)
    reader.feed(data)

    assert reader.finish().failure == failure


@pytest.mark.parametrize(
    ("counts", "tokens"),
    [
        ({"prompt_tokens": 5.0, "completion_tokens": 2.0}, {"input_tokens": 5, "output_tokens": 2}),
        (
            {"prompt_tokens": 10, "prompt_cache_hit_tokens": 4, "completion_tokens": 1},
            {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 1},
        ),
        (
            {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}, "completion_tokens": 1},
            {"input_tokens": 3, "cache_read_input_tokens": 8, "output_tokens": 1},
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 2,
                "total_tokens": 17,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            {"input_tokens": 5, "output_tokens": 12, "reasoning_tokens": 10},
        ),
        ({"prompt_tokens": -1, "completion_tokens": True}, {}),
        ({"prompt_tokens": 2**80, "completion_tokens": float("inf")}, {}),
    ],
)
@pytest.mark.parametrize("place", ["usage", "x_groq", "choice"])
def test_counts_of_the_hosts_that_speak_as_openai(
    counts: dict[str, Any], tokens: dict[str, float], place: str
) -> None:
    choice: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunk: dict[str, Any] = {"model": "m", "choices": [choice]}
    if place == "choice":
        choice["usage"] = counts
    elif place == "x_groq":
        chunk["x_groq"] = {"usage": counts}
    else:
        chunk["usage"] = counts

    assert read_body(sse(chunk)).tokens == tokens


@pytest.mark.parametrize(
    "calls",
    [
        [
            {"index": 0, "id": "a", "function": {"name": "f"}},
            {"index": 0, "id": "b", "function": {"name": "g"}},
        ],
        [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": {"name": "g"}}],
        [{"function": {"name": "f"}}, {"function": {"name": "g"}}],
        [{"index": 0, "custom": {"name": "f"}}, {"index": 1, "custom": {"name": "g"}}],
    ],
)
def test_parallel_calls_are_told_apart_whatever_their_index(calls: list[dict[str, Any]]) -> None:
    events = [{"model": "m", "choices": [{"index": 0, "delta": {"tool_calls": [each]}}]} for each in calls]

    assert [each.name for each in read_body(sse(*events)).tool_calls] == ["f", "g"]
    whole = {"model": "m", "choices": [{"message": {"tool_calls": calls}}]}
    assert [each.name for each in read_body(json.dumps(whole).encode()).tool_calls] == ["f", "g"]


def test_a_legacy_function_call_and_the_built_in_tools_of_responses_are_calls() -> None:
    legacy = {"model": "m", "choices": [{"message": {"function_call": {"name": "f", "arguments": "{}"}}}]}
    built_in = ["web_search_call", "mcp_call", "shell_call", "image_generation_call", "custom_tool_call"]
    response = {**RESPONSE, "output": [{"type": each, "id": each} for each in built_in]}

    assert [each.name for each in read_body(json.dumps(legacy).encode()).tool_calls] == ["f"]
    assert [each.name for each in read_body(json.dumps(response).encode()).tool_calls] == [
        "web_search",
        "mcp",
        "shell",
        "image_generation",
        "custom_tool",
    ]


def test_choices_end_one_by_one() -> None:
    both = [{"index": at, "delta": {"content": "x"}, "finish_reason": None} for at in (0, 1)]
    ends: list[dict[str, Any]] = [{"index": at, "delta": {}, "finish_reason": "stop"} for at in (0, 1)]
    first, second = ({"model": "m", "choices": [each]} for each in ends)

    assert not read_body(sse({"model": "m", "choices": both}, first)).ended
    assert read_body(sse({"model": "m", "choices": both}, first, second)).ended


@pytest.mark.parametrize(
    ("path", "document", "tokens"),
    [
        (
            "/v1/embeddings",
            {"object": "list", "data": [], "model": "e", "usage": {"prompt_tokens": 8, "total_tokens": 8}},
            {"input_tokens": 8},
        ),
        (
            "/v1/images/generations",
            {"created": 1, "data": [], "usage": {"input_tokens": 3, "output_tokens": 4}},
            {"input_tokens": 3, "output_tokens": 4},
        ),
        ("/v1/messages/count_tokens", {"input_tokens": 7}, {}),
        ("/v1/messages/batches/b", {"id": "b", "type": "message_batch", "processing_status": "ended"}, {}),
        ("/v1/responses/compact", {**RESPONSE, "object": "response.compaction", "status": None}, None),
        ("/v1/complete", {"type": "completion", "completion": "x", "stop_reason": "stop_sequence"}, {}),
        (
            "/model/meta.llama/invoke",
            {"generation": "x", "prompt_token_count": 3, "generation_token_count": 4, "stop_reason": "stop"},
            {"input_tokens": 3, "output_tokens": 4},
        ),
    ],
)
def test_tasks_and_older_calls_are_known(
    path: str, document: dict[str, Any], tokens: dict[str, float] | None
) -> None:
    answer = read_body(json.dumps(document).encode(), path, "application/json")

    assert answer.dialect
    assert answer.ended
    assert tokens is None or answer.tokens == tokens


@pytest.mark.parametrize("odd", [b'"\\ud800"', b"NaN", b"1e400", b'"\xff"', b'{"a":[' * 3 + b"1" + b"]}" * 3])
def test_one_odd_value_leaves_nothing_unread(odd: bytes) -> None:
    body = b'{"type":"message","model":"m","odd":%b,"usage":{"output_tokens":3}}' % odd

    assert read_body(body).tokens == {"output_tokens": 3}


def test_a_place_of_any_kind_is_no_error() -> None:
    odd = {**ANTHROPIC[1], "index": [1, {}]}

    assert [each.name for each in read_body(sse(ANTHROPIC[0], odd)).tool_calls] == ["Read"]
