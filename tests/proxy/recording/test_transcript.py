from dataclasses import dataclass, replace
from typing import Any

import orjson
import pytest

from proxy.content.redact.patterns import compile_patterns
from proxy.record.chunk import Pieces
from proxy.record.record import ExchangeError, Omitted, Record, Request, Response, SessionStart, Timing
from proxy.recording.capture import (
    STAMPS,
    Capture,
    Failure,
    RequestEnd,
    RequestPart,
    ResponseEnd,
    ResponsePart,
)
from proxy.recording.transcript import Policy, Transcript
from proxy.sessions.sessions import Sessions
from tests.proxy.bodies import MemorySpool, pieces, read_back

WALL = 1_795_428_900_000_000_000
KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"
ASKED: dict[str, Any] = {
    "model": "claude-x",
    "stream": False,
    "messages": [{"role": "user", "content": "Hello"}],
}
ANSWERED = {"id": "msg_1", "type": "message", "model": "claude-x", "content": [], "stop_reason": "end_turn"}
NOTHING = Pieces([], [], 0)


class Proxy:
    """A transcript with what a test wants to turn."""

    def __init__(self, policy: Policy) -> None:
        self.low = False
        self._tokens = iter(f"{number:08x}" for number in range(1000))
        self.transcript = Transcript(
            policy,
            Sessions(lambda _upstream, _name: None),
            MemorySpool,
            lambda: next(self._tokens),
            lambda: self.low,
        )

    def request(self, call: Capture, body: bytes, *, gap: int = 0) -> list[Record]:
        call.request.size += len(body)
        return list(self.transcript.request_end(RequestEnd(call, pieces(body), WALL, gap)))

    def response(self, call: Capture, body: bytes, failure: Failure | None = None) -> Response:
        call.response.size += len(body)
        call.response.first = call.started + 5_900_000
        end = ResponseEnd(call, pieces(body), WALL + 9, call.started + 7_100_000, failure)
        return self.transcript.response_end(end)


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(Policy("u@h"))


def called(*headers: tuple[str, str], **changed: Any) -> Capture:
    fields: dict[str, Any] = {
        "request_id": "r1",
        "provider": "anthropic",
        "upstream": "api.anthropic.com",
        "method": "POST",
        "path": "/v1/messages",
        "query": "beta=true",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
        "started": 1_000,
        "started_wall": WALL,
        "status": 200,
        "response_headers": [(b"content-type", b"application/json")],
    }
    return Capture(**fields | changed)


def test_the_first_call_of_a_session_starts_it(proxy: Proxy) -> None:
    call = called(("x-claude-code-session-id", "k1"), ("x-claude-code-agent-id", "a2"), ("x-api-key", KEY))
    start, request = proxy.request(call, orjson.dumps(ASKED), gap=3)

    assert isinstance(start, SessionStart)
    assert isinstance(request, Request)
    assert (start.meta.session, start.client_session, start.meta.request_id) == (
        "20261123-101500-00000000",
        "k1",
        "",
    )
    assert (start.meta.ts, request.meta.ts) == (WALL + STAMPS - 3, WALL + STAMPS - 1)
    assert (request.seq, request.model, request.stream, request.gap) == (1, "claude-x", False, 3)
    assert (request.meta.agent, request.meta.machine, request.query) == ("a2", "u@h", "beta=true")
    assert request.history is not None
    assert request.history.n == 1
    assert request.headers["X-Api-Key"] == ["sk-ant-api03-...wxyz"]
    assert orjson.loads(read_back(request.body)) == ASKED


def test_later_calls_of_a_session_go_on_in_it(proxy: Proxy) -> None:
    proxy.request(called(("session_id", "k1")), b"{}")
    records = proxy.request(called(("session_id", "k1")), b"{}")

    assert [(type(each), each.seq) for each in records if isinstance(each, Request)] == [(Request, 2)]
    assert len(records) == 1


def test_a_response_tells_what_the_provider_said_and_when(proxy: Proxy) -> None:
    call = called()
    proxy.request(call, orjson.dumps(ASKED))
    response = proxy.response(call, orjson.dumps(ANSWERED))

    assert (response.seq, response.status, response.error) == (1, 200, None)
    assert (response.model, response.stop_reason, response.response_id) == ("claude-x", "end_turn", "msg_1")
    assert response.timing == Timing(5, 7)
    assert response.meta.request_id == "r1"


def test_a_response_id_leads_the_next_call_into_its_session(proxy: Proxy) -> None:
    call = called(path="/v1/responses")
    proxy.request(call, b"{}")
    proxy.response(call, orjson.dumps(ANSWERED))
    records = proxy.request(called(path="/v1/responses"), b'{"previous_response_id":"msg_1"}')

    assert [each.meta.session for each in records] == ["20261123-101500-00000000"]


@pytest.mark.parametrize(
    ("content_type", "field"),
    [
        (b"text/event-stream; charset=utf-8", "chunks"),
        (b"application/x-ndjson", "chunks"),
        (b"application/vnd.amazon.eventstream", "chunks"),
        (b"application/json", "body"),
        (b"", "body"),
    ],
)
def test_streams_are_logged_in_chunks_and_all_else_whole(
    proxy: Proxy, content_type: bytes, field: str
) -> None:
    call = called(response_headers=[(b"Content-Type", content_type)])
    proxy.request(call, b"{}")
    response = proxy.response(call, b"data: {}\n\n")

    assert not isinstance(response.body, Omitted)
    assert response.body.field == field


def test_bodies_may_come_in_parts(proxy: Proxy) -> None:
    call = called(response_headers=[(b"content-type", b"text/event-stream")])
    proxy.transcript.request_part(RequestPart(call, pieces(b'{"model":')))
    records = proxy.request(call, b'"m"}')
    proxy.transcript.response_part(ResponsePart(call, pieces(b"data: 1\n\n")))
    response = proxy.response(call, b"data: 2\n\n")

    request = records[-1]
    assert isinstance(request, Request)
    assert request.model == "m"
    assert [each["raw"] for each in read_back(response.body)] == ["data: 1\n\n", "data: 2\n\n"]


def test_a_call_that_failed_says_why_and_keeps_what_came(proxy: Proxy) -> None:
    call = called()
    proxy.request(call, b"{}")
    response = proxy.response(call, b'{"id":', Failure("client_gone", "left"))

    assert response.error == ExchangeError("client_gone", "left")
    assert read_back(response.body) == '{"id":'


def test_an_error_within_a_stream_is_the_providers_and_shows_no_key(proxy: Proxy) -> None:
    call = called(response_headers=[(b"content-type", b"text/event-stream")])
    proxy.request(call, b"{}")
    event = orjson.dumps({"type": "error", "error": {"type": "bad", "message": f"no {KEY}"}})
    response = proxy.response(call, b"data: " + event + b"\n\n")

    assert response.error == ExchangeError("provider", "bad: no sk-ant-api03-...wxyz")


def test_envelopes_alone_know_what_the_bodies_said() -> None:
    proxy = Proxy(Policy("u@h", log_bodies=False))
    call = called()
    request = proxy.request(call, orjson.dumps(ASKED))[-1]
    response = proxy.response(call, orjson.dumps(ANSWERED))

    assert isinstance(request, Request)
    assert (request.model, response.stop_reason) == ("claude-x", "end_turn")
    assert [body.reason for body in (request.body, response.body) if isinstance(body, Omitted)] == [
        "log_bodies"
    ] * 2


@pytest.mark.parametrize(("value", "reason"), [("false", "opted_out"), ("Off", "opted_out"), ("true", None)])
def test_a_request_can_opt_out(proxy: Proxy, value: str, reason: str | None) -> None:
    call = called(("X-LLM-Proxy-Log-Bodies", value))
    request = proxy.request(call, b"{}")[-1]

    assert isinstance(request, Request)
    assert (request.body.reason if isinstance(request.body, Omitted) else None) == reason


def test_bodies_are_left_out_while_the_disk_is_nearly_full(proxy: Proxy) -> None:
    proxy.low = True
    call = called()
    proxy.request(call, b"{}")
    proxy.low = False
    body = proxy.response(call, b"{}").body

    assert not isinstance(body, Omitted)


@dataclass(frozen=True)
class Hashed:
    """A hash that another thread has made."""

    value: str

    def result(self) -> str:
        return self.value


def test_a_body_that_the_queue_let_go_is_left_out_with_its_hash(proxy: Proxy) -> None:
    call = called()
    call.request.add(b"12345", 1)
    call.request.omit()
    call.request.digest = Hashed("ab" * 32)
    records = list(proxy.transcript.request_end(RequestEnd(call, NOTHING, WALL, 0)))

    request = records[-1]
    assert isinstance(request, Request)
    assert request.body == Omitted(5, "ab" * 32, "queue_full")
    assert request.request_sha == "ab" * 32


def masking(*patterns: str) -> Policy:
    return Policy("u@h", mask=compile_patterns(patterns))


def test_where_a_pattern_hits_hash_and_history_are_of_the_masked_text() -> None:
    def asked(name: str) -> bytes:
        return orjson.dumps(ASKED | {"messages": [{"role": "user", "content": f"I am {name}"}]})

    def first(policy: Policy, body: bytes) -> Request:
        record = Proxy(policy).request(called(), body)[-1]
        assert isinstance(record, Request)
        return record

    jane, jack = (first(masking("Jane|Jack"), asked(name)) for name in ("Jane", "Jack"))
    plain = first(masking("Nobody"), asked("Jane"))

    assert jane.redacted == jack.redacted == 1
    assert (jane.request_sha, jane.history) == (jack.request_sha, jack.history)
    assert (plain.request_sha, plain.history) != (jane.request_sha, jane.history)
    assert "[redacted]" in read_back(jane.body)


def test_a_masked_session_key_keeps_its_sessions_apart() -> None:
    proxy = Proxy(masking("key-[0-9]+"))
    records = [proxy.request(called(("session_id", f"key-{number}")), b"{}") for number in (1, 2)]
    starts = [each for held in records for each in held if isinstance(each, SessionStart)]

    assert [each.client_session for each in starts] == ["[redacted]", "[redacted]"]
    assert len({each.meta.session for each in starts}) == 2


def test_records_that_were_lost_are_told_by_the_next_of_their_session(proxy: Proxy) -> None:
    call = called()
    proxy.request(call, b"{}")
    proxy.transcript.missed("20261123-101500-00000000", 2)
    proxy.transcript.missed("20261123-101500-00000000", 1)

    assert proxy.response(call, b"{}").gap == 3
    assert proxy.response(replace(call), b"{}").gap == 0


@pytest.mark.parametrize("depth", [300, 1000, 5000])
def test_a_request_of_any_depth_is_on_record(proxy: Proxy, depth: int) -> None:
    body = b'{"model":"m","messages":[' + b"[" * depth + b"]" * depth + b"]}"
    request = proxy.request(called(), body)[-1]

    assert isinstance(request, Request)
    assert read_back(request.body) == body.decode()
