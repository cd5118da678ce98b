"""What the relay does when its transport, or the world, does what no provider should."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from groundwork.eventlog import EventLog
from proxy.record.journal import Journal
from proxy.recording.queue.recorder import Limits, Recorder
from proxy.recording.transcript import Policy
from proxy.server.relay import Relay
from proxy.wire import call as call_module
from proxy.wire.admission import Admission
from proxy.wire.message.head import AnswerHead, Framing
from proxy.wire.routing import parse_upstreams
from proxy.wire.upstream.connection import Take
from proxy.wire.upstream.failure import BrokenError, ConnectError
from proxy.wire.upstream.pool import Answer as UpstreamAnswer
from proxy.wire.upstream.request import Request
from tests.proxy.inside import run, serving
from tests.proxy.served import Answer, request_bytes

PATH = "/anthropic/provider.test/v1/messages"


class Body:
    """An answer of 200 with pieces, and perhaps an exception after them."""

    waited = 0
    has_arrived = True
    head = AnswerHead(200, b"OK", [], keep_alive=True, framing=Framing("close"))

    def __init__(self, *pieces: bytes, fault: Exception | None = None) -> None:
        self._pieces = pieces
        self._fault = fault
        self.closed = False

    async def pump(self, take: Take) -> bool:
        for piece in self._pieces:
            take(piece)
        if self._fault:
            raise self._fault
        return True

    def close(self) -> None:
        self.closed = True

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    async def drain(self) -> None:
        raise NotImplementedError


class FakeTransport:
    """Answers with what it was given, or fails."""

    def __init__(self, answer: Body | Exception) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    async def send(self, request: Request) -> UpstreamAnswer:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@contextmanager
def relaying(tmp_path: Path, transport: FakeTransport) -> Iterator[Relay]:
    """A relay that records into ``tmp_path``; what it recorded is there afterwards."""
    events = EventLog(logging.getLogger("test"))
    recorder = Recorder(Journal(tmp_path), Policy("u@h"), tmp_path, Limits(), events)
    allowed = parse_upstreams(["provider.test"])
    recorder.start()
    try:
        yield Relay(transport, recorder, Admission.of("", ()), allowed, pages={}, events=events)
    finally:
        recorder.close()


def records(tmp_path: Path) -> list[dict[str, Any]]:
    lines = [line for path in tmp_path.glob("*/*/*.jsonl") for line in path.read_bytes().splitlines()]
    return [orjson.loads(line) for line in lines]


def ask(tmp_path: Path, transport: FakeTransport, body: bytes = b"{}") -> tuple[Answer, list[dict[str, Any]]]:
    """Return the answer to one call, and what is on record of it."""
    raw = b""

    async def test() -> None:
        nonlocal raw
        async with serving(relay) as connect:
            reader, writer = await connect()
            writer.write(request_bytes(PATH, (), body))
            raw = await reader.read()
            writer.close()
        assert not relay.traffic.running

    with relaying(tmp_path, transport) as relay:
        run(test)
    return Answer(raw), records(tmp_path)


def test_the_transport_is_given_the_target_and_the_headers_as_they_came(tmp_path: Path) -> None:
    transport = FakeTransport(Body(b"ok"))
    answer, _ = ask(tmp_path, transport)
    request = transport.requests[0]

    assert (answer.status, answer.body) == (200, b"ok")
    assert request.target == b"/v1/messages"
    assert request.headers == [(b"Host", b"provider.test"), (b"Content-Length", b"2")]
    assert isinstance(transport.answer, Body)
    assert transport.answer.closed


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (RuntimeError("with a secret"), "internal", "RuntimeError"),
        (BrokenError("why", untouched=False), "upstream", "provider.test broke off: why"),
        (ConnectError("late"), "connect", "cannot reach provider.test: late"),
    ],
)
def test_a_call_that_fails_is_a_bad_gateway_and_on_record(
    tmp_path: Path, fault: Exception, kind: str, message: str
) -> None:
    answer, (_, request, response) = ask(tmp_path, FakeTransport(fault))

    assert (answer.status, answer.message) == (502, f"llm-proxy: {message}")
    assert request["body"] == "{}"
    assert (response["status"], response["error"]) == (502, {"kind": kind, "message": message})


@pytest.mark.parametrize("fault", [RuntimeError("odd"), BrokenError("why", untouched=False)])
def test_a_call_that_fails_amid_its_answer_breaks_off(tmp_path: Path, fault: Exception) -> None:
    body = Body(b"half", fault=fault)
    answer, (_, _, response) = ask(tmp_path, FakeTransport(body))

    assert not answer.is_whole
    assert (response["body"], response["status"]) == ("half", 200)
    assert body.closed


def test_a_body_that_is_announced_too_large_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_module, "LARGEST_BODY", 10)
    transport = FakeTransport(Body())
    answer, recorded = ask(tmp_path, transport, b"x" * 11)

    assert (answer.status, answer.message) == (413, "llm-proxy: the request body is too large")
    assert (recorded, transport.requests) == ([], [])


def test_a_body_that_grows_too_large_is_refused_and_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_module, "LARGEST_BODY", 10)
    begun = asyncio.Event()

    class Reading(FakeTransport):
        async def send(self, request: Request) -> UpstreamAnswer:
            assert not isinstance(request.body, bytes)
            begun.set()
            while await request.body.read():
                pass
            raise AssertionError

    async def test() -> None:
        async with serving(relay) as connect:
            reader, writer = await connect()
            writer.write(
                f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
            )
            await begun.wait()
            writer.write(b"14\r\n" + b"x" * 20 + b"\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
            writer.close()

    with relaying(tmp_path, Reading(Body())) as relay:
        run(test)
    response = records(tmp_path)[-1]

    assert (response["status"], response["error"]["kind"]) == (413, "too_large")
