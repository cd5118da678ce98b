"""Each dialect from bytes to the record: plain, streamed, cut, failed, and what hosts vary."""

import json
from typing import Any

import orjson
import pytest

from proxy.record.record import encode
from proxy.recording.capture import Failure
from tests.event_stream import event_frames, frame
from tests.proxy.content.dialects.test_table import (
    CASES,
    CHAT,
    FRAMES,
    GEMINI,
    OLLAMA,
    RESPONSE,
    STREAM,
    TOLD,
    chunk_frames,
    ndjson,
    sse,
)
from tests.proxy.recording.test_any_content import GONE, call, exchange, transcript

JSON = "application/json"
Record = dict[str, Any]


def recorded(
    path: str, content_type: str, answer: bytes, *, request: bytes = b"{}", failure: Failure | None = None
) -> tuple[Record, Record, str]:
    """Return the records of a call, and the dialect that its answer counts as."""
    told = transcript()
    asked, answered = exchange(told, call(path, content_type), request, answer, failure)
    counted = next(name for name, count in told.dialects.items() if count)
    return orjson.loads(b"".join(encode(asked))), orjson.loads(b"".join(encode(answered))), counted


@pytest.mark.parametrize("failure", [None, GONE, Failure("upstream", "broke off")])
@pytest.mark.parametrize("case", CASES)
def test_what_the_dialect_calls_complete_is_a_good_record_whoever_leaves(
    case: str, failure: Failure | None
) -> None:
    path, content_type, answer = CASES[case]
    dialect, model, more = TOLD[case]
    _, record, counted = recorded(path, content_type, answer, failure=failure)

    assert counted == dialect
    assert record["model"] == model
    assert record["usage"] == {"input_tokens": 9, "output_tokens": 12, **more}
    assert [each["name"] for each in record["tool_calls"]] == ["Read"]
    assert "error" not in record


@pytest.mark.parametrize("case", CASES)
def test_what_is_cut_off_says_so_and_is_of_no_unknown_dialect(case: str) -> None:
    path, content_type, answer = CASES[case]
    _, record, counted = recorded(path, content_type, answer[: len(answer) // 3], failure=GONE)

    assert counted == TOLD[case][0]
    assert record["error"]["kind"] == "client_gone"


FAILED = {
    "anthropic": (b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n', STREAM),
    "anthropic on bedrock": (
        frame({"message": "slow"}, message_type="exception", exception_type="throttlingException"),
        FRAMES,
    ),
    "chat": (sse({"error": {"code": "server_error", "message": "x"}, "choices": []}), STREAM),
    "responses": (
        sse({"type": "response.failed", "response": {"status": "failed", "error": {"code": "c"}}}),
        STREAM,
    ),
    "response": (json.dumps({**RESPONSE, "status": "failed", "error": {"code": "c"}}).encode(), JSON),
    "gemini": (sse({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}), STREAM),
    "gemini list": (b'[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]', JSON),
    "interactions": (sse({"event_type": "error", "error": {"code": "c"}}), STREAM),
    "converse": (frame({}, message_type="error", error_code="InternalError", error_message="x"), FRAMES),
    "ollama": (ndjson(OLLAMA[0], {"error": "out of memory"}), "application/x-ndjson"),
    "assistants": (sse({"object": "thread.run", "status": "failed", "last_error": {"code": "c"}}), STREAM),
}  # fmt: skip


@pytest.mark.parametrize("failure", [None, GONE])
@pytest.mark.parametrize("case", CASES)
def test_an_error_event_is_the_providers_error_whoever_leaves_then(
    case: str, failure: Failure | None
) -> None:
    answer, content_type = FAILED[case]
    _, record, counted = recorded(CASES[case][0], content_type, answer, failure=failure)

    assert record["error"]["kind"] == "provider"
    assert counted != "unknown"


BOTH = {"input_tokens": 3, "output_tokens": 4}
COUNTS = {"prompt_tokens": 3, "completion_tokens": 4}
CLAUDE = {"type": "message", "model": "claude-x", "content": [], "usage": BOTH}
# What a path, a content type and an answer leave on record: the dialect, and some of the fields.
VARIANTS: dict[str, tuple[str, str, bytes, str, Record]] = {
    "usage after the end": (
        "/v1/chat/completions", STREAM, sse(*CHAT[:2], {"choices": [], "usage": COUNTS}, done=True),
        "openai_chat", {"usage": BOTH},
    ),
    "chat as JSON by its type": (
        "/v1/chat/completions", JSON, sse(*CHAT, done=True), "openai_chat", {"response_id": "c1"},
    ),
    "frames without a type": (
        "/model/m/converse-stream", "", event_frames({"messageStop": {"stopReason": "x"}}), "bedrock",
        {"model": "m", "stop_reason": "x"},
    ),
    "gemini's list without a type": (
        "/v1beta/models/g:streamGenerateContent", "", json.dumps(GEMINI, indent=2).encode(), "gemini",
        {"response_id": "g1"},
    ),
    "an escaped colon": (
        "/v1beta/models/gemini-x%3AgenerateContent", JSON, json.dumps(GEMINI[1]).encode(), "gemini",
        {"model": "gemini-x"},
    ),
    "Code Assist": (
        "/v1internal:streamGenerateContent", STREAM, sse(*({"response": each} for each in GEMINI)), "gemini",
        {"stop_reason": "STOP"},
    ),
    "Vertex": (
        "/v1/projects/p/locations/l/publishers/anthropic/models/claude-x:rawPredict", JSON,
        json.dumps(CLAUDE).encode(), "anthropic", {"usage": BOTH, "model": "claude-x"},
    ),
    "zero after a true count": (
        "/v1/messages", STREAM,
        sse(
            {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
            {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 0, "output_tokens": 4}},
        ),
        "anthropic", {"usage": BOTH},
    ),
    "response.done": (
        "/backend-api/codex/responses", STREAM, sse({"type": "response.done", "response": {"usage": BOTH}}),
        "openai_responses", {"usage": BOTH},
    ),
    "a response fetched later": (
        "/v1/responses/r1", JSON, json.dumps(RESPONSE).encode(), "openai_responses", {"response_id": "r1"},
    ),
    "a compaction": (
        "/v1/responses/compact", JSON, json.dumps({"object": "response.compaction", "usage": BOTH}).encode(),
        "openai_responses", {"usage": BOTH, "stop_reason": "completed"},
    ),
    "a blocked prompt": (
        "/v1beta/models/g:generateContent", JSON, b'{"promptFeedback":{"blockReason":"SAFETY"}}', "gemini",
        {"stop_reason": "SAFETY"},
    ),
    "a model without a dialect on Bedrock": (
        "/model/cohere.x/invoke-with-response-stream", FRAMES,
        chunk_frames({"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 4}}),
        "bedrock", {"usage": BOTH, "model": "cohere.x"},
    ),
    "completions": (
        "/v1/completions", STREAM,
        sse({"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}], "usage": COUNTS}, done=True),
        "openai_chat", {"usage": BOTH, "stop_reason": "stop"},
    ),
    "complete": (
        "/v1/complete", STREAM, sse({"type": "completion", "model": "c", "stop_reason": "stop_sequence"}),
        "anthropic", {"model": "c", "stop_reason": "stop_sequence"},
    ),
    "Ollama's generate": (
        "/api/generate", JSON, b'{"response":"x","done":true,"prompt_eval_count":3,"eval_count":4}', "ollama",
        {"usage": BOTH},
    ),
    "embeddings": (
        "/v1/embeddings", JSON, b'{"object":"list","data":[],"usage":{"prompt_tokens":3}}', "tasks",
        {"usage": {"input_tokens": 3}},
    ),
    "speech": ("/v1/audio/speech", "audio/mpeg", b"\xff\xf3" * 9, "tasks", {"body_encoding": "base64"}),
    "images as a stream": (
        "/v1/images/generations", STREAM, sse({"type": "image_generation.completed", "usage": BOTH}), "tasks",
        {"usage": BOTH},
    ),
    "a batch": (
        "/v1/messages/batches/b", JSON, b'{"id":"b","type":"message_batch","processing_status":"ended"}',
        "tasks", {"stop_reason": "ended"},
    ),
    "odd values": (
        "/v1/messages", JSON, json.dumps({**CLAUDE, "odd": [float("nan"), "\ud800"]}).encode(), "anthropic",
        {"usage": BOTH},
    ),
    "no dialect at all": ("/v9/talk", STREAM, sse({"say": "x"}), "unknown", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", VARIANTS)
def test_what_hosts_vary_is_on_record_all_the_same(case: str) -> None:
    path, content_type, answer, dialect, fields = VARIANTS[case]
    _, record, counted = recorded(path, content_type, answer)

    assert counted == dialect
    assert {name: record.get(name) for name in fields} == fields
    assert "error" not in record


@pytest.mark.parametrize(
    ("path", "request_body", "model", "stream"),
    [
        ("/v1/messages", b'{"model":"claude-x","stream":true,"messages":[]}', "claude-x", True),
        ("/model/nova/converse-stream", b'{"messages":[]}', "nova", True),
        ("/model/arn%3Aaws%3Ax/invoke", b"{}", "arn:aws:x", False),
        ("/v1beta/models/gemini-x:streamGenerateContent", b'{"contents":[]}', "gemini-x", True),
        ("/openai/deployments/gpt-x/chat/completions", b'{"messages":[]}', "gpt-x", None),
        ("/api/chat", b'{"model":"llama-x","messages":[]}', "llama-x", True),
        (
            "/v1/messages",
            b'{"model":"m","t":NaN,"messages":[{"role":"user","content":"\\ud800"}]}',
            "m",
            None,
        ),
        ("/v1/messages", b'{"model":"m","t":1e400,"messages":[]}', "m", None),
    ],
)
def test_a_request_tells_model_and_stream_by_its_body_or_its_path(
    path: str, request_body: bytes, model: str, *, stream: bool | None
) -> None:
    request, _, _ = recorded(path, JSON, b"{}", request=request_body)

    assert request["model"] == model
    assert request.get("stream") is stream
