"""Whatever clients and providers send, their calls are on record, and what can be read of them is."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.content.redact.patterns import compile_patterns
from proxy.content.redact.shapes import SHAPES
from proxy.content.streams.frames import frame_bytes
from proxy.record.chunk import Pieces
from proxy.record.record import Request, Response, SessionStart, encode
from proxy.recording.capture import Capture, Failure, RequestEnd, RequestPart, ResponseEnd, ResponsePart
from proxy.recording.transcript import Policy, Transcript
from proxy.sessions.sessions import Sessions
from tests.proxy.bodies import MemorySpool, pieces

WALL = 1_795_428_900_000_000_000
MIB = 1 << 20
PATHS = [
    "/v1/messages",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/complete",
    "/v1/completions",
    "/v1/threads/t/runs",
    "/v1beta/models/m:streamGenerateContent",
    "/v1beta/interactions",
    "/model/m/converse-stream",
    "/model/m/invoke-with-response-stream",
    "/api/chat",
    "/v1/embeddings",
    "/x",
]
TYPES = [
    "text/event-stream",
    "application/json",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
]


class NoSpool(MemorySpool):
    """A spool that keeps nothing, so that only the proxy's own memory is measured."""

    def write(self, data: bytes) -> None:
        pass


def transcript(policy: Policy | None = None) -> Transcript:
    tokens = iter(f"{number:08x}" for number in range(1000))
    recalled = Sessions(lambda _upstream, _name: None)
    return Transcript(policy or Policy("u@h"), recalled, NoSpool, lambda: next(tokens), lambda: False)


def call(path: str = "/v1/messages", content_type: str = "application/json", **more: Any) -> Capture:
    fields: dict[str, Any] = {
        "request_id": "r",
        "provider": "anthropic",
        "upstream": "h",
        "method": "POST",
        "path": path,
        "query": "",
        "headers": [],
        "started": 1,
        "started_wall": WALL,
        "status": 200,
        "response_headers": [(b"content-type", content_type.encode())],
    }
    return Capture(**fields | more)


def exchange(
    told: Transcript, capture: Capture, request: bytes, response: bytes, failure: Failure | None = None
) -> tuple[Request, Response]:
    capture.request.size, capture.response.size = len(request), len(response)
    records = told.request_end(RequestEnd(capture, pieces(request), WALL, 0))
    asked = next(each for each in records if isinstance(each, Request))
    return asked, told.response_end(ResponseEnd(capture, pieces(response), WALL + 9, 10, failure))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("type", "message", "usage", "choices", "delta", "error", "object", "response", "output", "content"),
        *("item", "index", "candidates", "usageMetadata", "done", "event_type", "interaction", "metadata"),
        *("contentBlockStart", "stopReason", "messages", "input", "model", "id", "status", "tool_calls"),
    ]
)
KINDS = st.sampled_from(
    ["message", "message_start", "content_block_start", "message_delta", "response.completed", "response"]
)
SHAPED = st.dictionaries(NAMES, ANYTHING | KINDS | st.dictionaries(NAMES, ANYTHING | KINDS, max_size=3))
TEXTS = SHAPED.map(lambda each: json.dumps(each).encode())
BODIES = st.binary(max_size=60) | TEXTS | st.lists(TEXTS, max_size=3).map(b"\n".join)
FRAMES = st.lists(
    st.tuples(st.sampled_from(["event", "exception"]), NAMES, TEXTS | st.binary(max_size=9)), max_size=3
).map(
    lambda each: b"".join(
        frame_bytes({":message-type": kind, ":event-type": name}, payload) for kind, name, payload in each
    )
)
POLICIES = [
    Policy("u@h"),
    Policy("u@h", mask=compile_patterns(["[a-f]+", *SHAPES])),
    Policy("u@h", log_bodies=False),
]
STREAMS = (
    BODIES
    | FRAMES
    | st.lists(TEXTS, max_size=3).map(lambda each: b"".join(b"data: " + one + b"\n\n" for one in each))
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(BODIES, STREAMS, st.sampled_from(PATHS), st.sampled_from(TYPES), st.sampled_from(POLICIES))
def test_any_bytes_give_two_records(
    request: bytes, response: bytes, path: str, content_type: str, policy: Policy
) -> None:
    for record in exchange(transcript(policy), call(path, content_type), request, response):
        line = orjson.loads(b"".join(encode(record)))
        assert line["seq"] == 1
        assert line["_meta"]["request_id"] == "r"


@pytest.mark.parametrize(
    "request_body",
    [
        orjson.dumps({"model": "m", "metadata": {"user_id": '{"a":' * 5000}, "messages": []}),
        b'{"model":"m","messages":[' + b"[" * 5000 + b"]" * 5000 + b"]}",
        b'{"model":"\\ud800","messages":[{"role":"user","content":"\\ud800"}]}',
    ],
)
def test_a_request_that_cannot_be_read_has_its_envelope(request_body: bytes) -> None:
    for record in exchange(transcript(), call(), request_body, b""):
        assert b"".join(encode(record)).endswith(b"}\n")


DONE = b'data: {"type":"message_stop"}\n\n'
GONE = Failure("client_gone", "the client left before the end")


@pytest.mark.parametrize(
    ("stream", "failure", "kind"),
    [
        (DONE, GONE, None),
        (DONE, Failure("upstream", "broke off"), None),
        (DONE, Failure("internal", "x"), "internal"),
        (b'data: {"type":"ping"}\n\n', GONE, "client_gone"),
        (b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n', GONE, "provider"),
        (b'data: {"type":"error","error":{"type":"overloaded_error"}}\n\n', None, "provider"),
    ],
)
def test_what_is_complete_is_no_error_whoever_leaves(
    stream: bytes, failure: Failure | None, kind: str | None
) -> None:
    _, response = exchange(transcript(), call(content_type="text/event-stream"), b"{}", stream, failure)

    assert (response.error.kind if response.error else None) == kind


def test_a_small_field_of_a_masked_answer_is_masked() -> None:
    told = transcript(Policy("u@h", mask=compile_patterns(["Falcon"])))
    tool = {"type": "tool_use", "id": "toolu_Falcon", "name": "Falcon_tool"}
    answer = {"type": "message", "id": "msg_Falcon", "model": "Falcon-7", "stop_reason": "Falcon"}
    stream = b"data: %b\n\n" % orjson.dumps({"type": "message_start", "message": answer})
    _, whole = exchange(told, call(), b"{}", orjson.dumps({**answer, "content": [tool]}))
    _, streamed = exchange(told, call(content_type="text/event-stream"), b"{}", stream)

    assert not [handle.name for *_, handle in told.new_handles() if "Falcon" in handle.name]
    for record in (whole, streamed):
        assert b"Falcon" not in b"".join(encode(record))
        assert record.model == "[redacted]-7"
    assert whole.tool_calls[0].name == "[redacted]_tool"


def large(turn: int) -> Iterator[bytes]:
    """Yield a request of 30 MB with images, as clients send them, in pieces of 1 MiB."""
    image = b"A" * MIB
    yield b'{"metadata":{"user_id":"user_x_account__session_s-1"},"messages":['
    for number in range(29 + turn):
        yield b'{"role":"user","content":[{"type":"image","source":{"data":"%d' % number
        yield image
        yield b'"}}]},'
    yield b'{"role":"user","content":"look"}],"model":"claude-x","stream":true}'


def sent(told: Transcript, body: Iterator[bytes]) -> list[Any]:
    capture = call()
    for piece in body:
        capture.request.size += len(piece)
        told.request_part(RequestPart(capture, pieces(piece)))
    return [*told.request_end(RequestEnd(capture, Pieces([], [], 0), WALL, 0)), capture]


def test_a_request_of_30_mb_keeps_its_session_and_model_in_little_memory() -> None:
    told = transcript()
    tracemalloc.start()
    start, first, capture = sent(told, large(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    answer = b'data: {"type":"message_start","message":{"usage":{"input_tokens":5}}}\n\n'
    response = told.response_end(ResponseEnd(capture, pieces(answer), WALL, 10, None))
    second, _ = sent(told, large(0))

    assert isinstance(start, SessionStart)
    assert start.client_session == "s-1"
    assert (first.model, first.stream, first.history.n) == ("claude-x", True, 30)
    assert second.history.chain == first.history.chain
    assert second.meta.session == first.meta.session
    assert response.usage == {"input_tokens": 5}
    assert peak < 16 * MIB


def test_one_event_of_48_mb_keeps_its_usage_in_little_memory() -> None:
    told = transcript()
    capture = call("/v1/responses", "text/event-stream")
    told.request_end(RequestEnd(capture, pieces(b"{}"), WALL, 0))
    tracemalloc.start()
    for piece in (
        b'data: {"type":"response.completed","response":{"object":"response","output":[{"result":"',
        *[b"A" * MIB] * 48,
        b'"}],"usage":{"output_tokens":7},"status":"completed"}}\n\n',
    ):
        told.response_part(ResponsePart(capture, pieces(piece)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    response = told.response_end(ResponseEnd(capture, Pieces([], [], 0), WALL, 10, None))

    assert response.usage == {"output_tokens": 7}
    assert response.stop_reason == "completed"
    assert peak < 40 * MIB
