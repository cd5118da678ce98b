"""WebSockets through the proxy: bytes as they were sent, and each response on record."""

import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol

from tests.process import eventually
from tests.proxy.served import Client, Record, Served, new_key, request_bytes

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-ODD: two\r\n%b\r\n"
)
DEFLATE = "permessage-deflate"
Serve = Callable[..., Served]
# The whole of it: LLM_PROXY_TEST_FUZZ=10000.
EXAMPLES = int(os.environ.get("LLM_PROXY_TEST_FUZZ", "300"))


class Upstream:
    """A raw server for one connection: what it was sent, and what it sends."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(20)
        self.name = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.received = b""
        self.connection: socket.socket | None = None

    def accept(self, head: bytes = SWITCHED % b"") -> bytes:
        """Take the handshake, answer it, and return it."""
        connection, _ = self.listener.accept()
        connection.settimeout(20)
        self.connection = connection
        while b"\r\n\r\n" not in self.received:
            self.received += connection.recv(65536)
        asked, _, self.received = self.received.partition(b"\r\n\r\n")
        connection.sendall(head)
        return asked

    def send(self, data: bytes) -> None:
        assert self.connection is not None
        self.connection.sendall(data)

    def until(self, size: int) -> bytes:
        """Return what came, once it is so much."""
        assert self.connection is not None
        while len(self.received) < size:
            piece = self.connection.recv(65536)
            assert piece, "closed"
            self.received += piece
        return self.received

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.listener.close()


@contextmanager
def opened(
    serve: Serve, *args: str, path: str = "/v1/responses", key: str = "", answered: bytes = b"", **env: str
) -> Iterator[tuple[Served, Client, Upstream, bytes]]:
    """A WebSocket through a proxy of the test's own; the last is the handshake as it arrived."""
    with closing(Upstream()) as upstream:
        served = serve("--upstreams", upstream.name, *args, **env)
        headers = [
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Extensions", DEFLATE),
            *([("Session_id", key)] if key else []),
        ]
        raw = request_bytes(f"/openai/{upstream.name}{path}", headers, method="GET")
        with Client(served.port) as client:
            client.send(raw.replace(b"Connection: close", b"Connection: Upgrade"))
            asked = upstream.accept(SWITCHED % answered)
            client.until(b"\r\n\r\n")
            yield served, client, upstream, asked


def frames(*, client: bool, extensions: str = "") -> Callable[[Any], bytes]:
    """Return what makes an event a frame of one side."""
    deflate = PerMessageDeflate()
    if extensions:
        deflate.finalize(extensions)
    protocol = FrameProtocol(client=client, extensions=[deflate] if extensions else [])
    return lambda event: bytes(protocol.send_data(event if isinstance(event, str) else json.dumps(event)))


def created(known_as: str) -> dict[str, Any]:
    return {"type": "response.created", "response": {"id": known_as, "model": "gpt-5"}}


def completed(known_as: str, *output: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 11, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 5}
    response = {
        "id": known_as,
        "object": "response",
        "model": "gpt-5",
        "status": "completed",
        "output": list(output),
        "usage": usage,
    }
    return {"type": "response.completed", "response": response}


CALLED = {"type": "function_call", "call_id": "call_1", "name": "shell", "arguments": "{}"}
DELTA = {"type": "response.output_text.delta", "delta": "hi", "item_id": "i", "output_index": 0}


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "response.create", "model": "gpt-5", "input": [{"role": "user", "content": text}], **more}


def pairs(served: Served, count: int) -> list[tuple[Record, Record]]:
    """Return requests and responses on record, once there are so many."""

    def found() -> list[tuple[Record, Record]]:
        requests = {
            each["_meta"]["request_id"]: each for each in served.records() if each["type"] == "request"
        }
        responses = [each for each in served.records() if each["type"] == "response"]
        made = [(requests[each["_meta"]["request_id"]], each) for each in responses]
        return made if len(made) >= count else []

    return eventually(found, what=f"{count} responses on record")


@pytest.mark.parametrize("extensions", ["", DEFLATE])
def test_each_response_of_a_connection_is_a_pair_and_all_bytes_are_as_they_were_sent(
    serve: Serve, extensions: str
) -> None:
    key = new_key()
    answered = f"Sec-WebSocket-Extensions: {extensions}\r\n".encode() if extensions else b""
    ours, theirs = frames(client=True, extensions=extensions), frames(client=False, extensions=extensions)
    with opened(serve, key=key, answered=answered) as (served, client, upstream, asked):
        head, client.received = client.received, b""
        sent = ours(ask("one"))
        client.send(sent[:7])
        client.send(sent[7:])
        assert upstream.until(len(sent)) == sent
        answer = theirs(created("r1")) + theirs(DELTA) + theirs(completed("r1", CALLED))
        for at in range(0, len(answer), 50):
            upstream.send(answer[at : at + 50])
        client.until(answer)
        assert client.received == answer
        more = ours(ask("two", previous_response_id="r1"))
        client.send(more)
        upstream.until(len(sent) + len(more))
        rest = theirs(created("r2")) + theirs(completed("r2"))
        upstream.send(rest)
        client.until(answer + rest)

    assert head == SWITCHED % answered
    assert b"Upgrade: websocket\r\nSec-WebSocket-Key: " + KEY.encode() in asked
    assert f"Host: {upstream.name}".encode() in asked
    (request, response), (later, last) = pairs(served, 2)
    assert json.loads(request["body"]) == ask("one")
    assert (request["method"], request["path"], request["model"]) == ("GET", "/v1/responses", "gpt-5")
    assert [each["direction"] for each in response["chunks"]] == ["server"] * 3
    assert [json.loads(each["raw"])["type"] for each in response["chunks"]] == [
        "response.created",
        "response.output_text.delta",
        "response.completed",
    ]
    assert response["status"] == 101
    assert (response["usage"]["input_tokens"], response["usage"]["output_tokens"]) == (7, 5)
    assert response["tool_calls"] == [{"id": "call_1", "name": "shell"}]
    assert (response["stop_reason"], response["response_id"]) == ("tool_use", "r1")
    assert (later["seq"], last["seq"], last["response_id"]) == (2, 2, "r2")
    assert later["_meta"]["session"] == request["_meta"]["session"]
    assert "error" not in response


def test_what_comes_before_a_response_is_on_record_with_it(serve: Serve) -> None:
    ours, theirs = frames(client=True), frames(client=False)
    with opened(serve, path="/v1/realtime?model=gpt-realtime") as (served, client, upstream, _):
        before = theirs({"type": "session.created", "session": {"model": "gpt-realtime"}})
        upstream.send(before)
        client.until(before)
        sent = ours({"type": "session.update", "session": {}}) + ours({"type": "response.create"})
        client.send(sent)
        upstream.until(len(sent))
        done = {"type": "response.done", "response": completed("r1")["response"]}
        events = theirs(created("r1")) + theirs(done) + theirs({"type": "rate_limits.updated"})
        upstream.send(events)
        client.until(events)

    (request, response), *others = pairs(served, 1)
    assert others == []
    assert (request["body"], request["query"]) == ('{"type": "response.create"}', "model=gpt-realtime")
    assert [(each["direction"], json.loads(each["raw"])["type"]) for each in response["chunks"]] == [
        ("server", "session.created"),
        ("client", "session.update"),
        ("server", "response.created"),
        ("server", "response.done"),
    ]
    assert response["usage"]["output_tokens"] == 5


@pytest.mark.parametrize(
    ("cut", "kind", "message"),
    [
        ("client", "client_gone", "the client left before the end"),
        ("close", "upstream", "the upstream closed the WebSocket: 1011 keepalive"),
        ("end", "upstream", "the WebSocket ended amid a response"),
    ],
)
def test_a_connection_that_is_cut_amid_a_response_has_its_reason(
    serve: Serve, cut: str, kind: str, message: str
) -> None:
    ours, theirs = frames(client=True), frames(client=False)
    with opened(serve) as (served, client, upstream, _):
        sent = ours(ask("one"))
        client.send(sent)
        upstream.until(len(sent))
        begun = theirs(created("r1"))
        upstream.send(begun)
        client.until(begun)
        if cut == "close":
            closing_frame = bytes(FrameProtocol(client=False, extensions=[]).close(1011, "keepalive"))
            upstream.send(closing_frame)
            client.until(closing_frame)
        if cut == "client":
            client.socket.close()
            pairs(served, 1)
        elif upstream.connection is not None:
            upstream.connection.close()
            client.rest()

    ((_, response),) = pairs(served, 1)
    assert response["error"] == {"kind": kind, "message": message}
    assert [json.loads(each["raw"])["type"] for each in response["chunks"]] == ["response.created"]


def test_an_upgrade_that_the_upstream_refuses_is_answered_as_it_answers(serve: Serve) -> None:
    refused = b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno"
    with closing(Upstream()) as upstream:
        served = serve("--upstreams", upstream.name)
        thread = threading.Thread(target=lambda: upstream.accept(refused))
        thread.start()
        headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Key", KEY), ("Sec-WebSocket-Version", "13")]
        raw = request_bytes(f"/openai/{upstream.name}/v1/responses", headers, method="GET")
        with Client(served.port) as client:
            client.send(raw.replace(b"Connection: close", b"Connection: Upgrade"))
            client.until(b"\r\n\r\nno")
        thread.join()

    assert client.received.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    ((request, response),) = pairs(served, 1)
    assert (request["body"], response["status"], response["body"]) == ("", 426, "no")


def test_secrets_in_messages_are_masked_as_in_streams(serve: Serve) -> None:
    ours, theirs = frames(client=True), frames(client=False)
    with opened(serve, "--redact", "hunter2") as (served, client, upstream, _):
        sent = ours(ask("my password is hunter2"))
        client.send(sent)
        upstream.until(len(sent))
        halves = [{**DELTA, "delta": "hun"}, {**DELTA, "delta": "ter2"}]
        events = b"".join(theirs(each) for each in [created("r1"), *halves, completed("r1")])
        upstream.send(events)
        client.until(events)

    ((request, response),) = pairs(served, 1)
    assert "hunter2" not in request["body"]
    assert response["redacted"] > 0
    assert "ter2" not in json.dumps(response["chunks"])
    assert [each["direction"] for each in response["chunks"]] == ["server"] * 4
    assert response["usage"]["output_tokens"] == 5


def test_what_is_no_frame_goes_on_all_the_same(serve: Serve) -> None:
    with opened(serve) as (served, client, upstream, _):
        odd = b"\xff\xff no frame \x00" * 100
        client.send(odd)
        assert upstream.until(len(odd)) == odd
        upstream.send(odd)
        client.until(odd)

    ((request, response),) = pairs(served, 1)
    assert (request["body"], response["chunks"]) == ("", [])


event_types = st.sampled_from(
    [
        "response.create",
        "response.created",
        "response.output_text.delta",
        "response.completed",
        "response.done",
        "response.failed",
        "error",
        "session.created",
        "",
    ]
)
events = (
    st.fixed_dictionaries(
        {"type": event_types},
        optional={
            "response": st.none() | st.just({"id": "r"}) | st.text(max_size=5) | st.just([1]),
            "delta": st.text(max_size=20) | st.integers(),
            "output_index": st.none() | st.lists(st.integers(), max_size=2),
            "input": st.lists(st.text(max_size=10), max_size=2) | st.integers(),
            "model": st.text(max_size=5) | st.none(),
        },
    )
    | st.text(max_size=40)
    | st.just("[" * 3000)
)


@st.composite
def traffic(draw: st.DrawFn, *, client: bool, extensions: str) -> list[bytes]:
    """What one side sends, in the pieces that it sends: frames, some of them broken, and what is no frame."""
    frame = frames(client=client, extensions=extensions)
    data = bytearray(b"".join(frame(each) for each in draw(st.lists(events, max_size=5))))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    data += draw(st.sampled_from([b"", b"", b"\x88\x00", b"\xff" * 9]) | st.binary(max_size=20))
    edges = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=3))})
    return [bytes(data[begin:end]) for begin, end in pairwise(edges)]


connections = st.sampled_from(["", DEFLATE, "x-unknown"]).flatmap(
    lambda extensions: st.tuples(
        st.just(extensions),
        traffic(client=True, extensions=extensions if extensions == DEFLATE else ""),
        traffic(client=False, extensions=extensions if extensions == DEFLATE else ""),
        st.sampled_from(["client", "upstream", "reset"]),
    )
)


@pytest.mark.timeout(120 + EXAMPLES / 20)
def test_whatever_both_sides_send_goes_on_as_it_was_and_leaves_a_whole_log(serve: Serve) -> None:
    raw_request = request_bytes(
        "/openai/{}/v1/responses", [("Upgrade", "websocket"), ("Sec-WebSocket-Key", KEY)], method="GET"
    ).replace(b"Connection: close", b"Connection: Upgrade")
    with closing(Upstream()) as upstream:
        served = serve("--upstreams", upstream.name)
        raw_request = raw_request.replace(b"{}", upstream.name.encode())

        @settings(
            max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None
        )
        @given(connections)
        def one(connection: tuple[str, list[bytes], list[bytes], str]) -> None:
            extensions, asked, told, left_by = connection
            answered = f"Sec-WebSocket-Extensions: {extensions}\r\n".encode() if extensions else b""
            head = SWITCHED % answered
            with Client(served.port) as client:
                client.send(raw_request)
                upstream.received = b""
                upstream.accept(head)
                for piece in asked:
                    client.send(piece)
                for piece in told:
                    upstream.send(piece)
                sent, answer = b"".join(asked), head + b"".join(told)
                assert upstream.until(len(sent)) == sent
                assert client.until(answer) == answer
                assert upstream.connection is not None
                if left_by == "reset":
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                if left_by == "upstream":
                    upstream.connection.close()
                    assert client.rest().raw == answer
            upstream.connection.close()

        one()

    eventually(lambda: served.health()["calls_running"] == 0)
    eventually(lambda: served.health()["queue_bytes"] == 0)
    assert served.health()["write_errors"] == 0
    assert "Traceback" not in served.process.stderr
    records = served.records()
    ids = {
        kind: Counter(each["_meta"]["request_id"] for each in records if each["type"] == kind)
        for kind in ("request", "response")
    }
    assert ids["request"] == ids["response"]
    assert len(ids["request"]) >= EXAMPLES
    assert set(ids["request"].values()) == {1}
