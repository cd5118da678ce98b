"""Clients that mean harm, or have left: what they cost, and what the others notice."""

import json
import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.process import eventually
from tests.proxy.raw_upstream import upstream
from tests.proxy.served import Client, Record, Served, ask, new_key, request_bytes

ASKED = b'{"model":"claude-x","messages":[{"role":"user","content":"Hello"}]}'
# What the whole process may take, whatever is tried on it.
MOST_BYTES = 300 << 20
HANG = ("x-fake", json.dumps({"fault": "hang", "after": -1}))


def resident(served: Served) -> int:
    """Return the most memory that the process ever had, in bytes."""
    status = Path(f"/proc/{served.process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def descriptors(served: Served) -> int:
    return len(list(Path(f"/proc/{served.process.pid}/fd").iterdir()))


def calls_running(served: Served) -> int:
    running: int = served.health()["calls_running"]
    return running


def call(served: Served, *headers: tuple[str, str], body: bytes = ASKED) -> bytes:
    return request_bytes(f"/anthropic/{served.upstream}/v1/messages", headers, body)


def open_call(served: Served, *headers: tuple[str, str]) -> bytes:
    """Return a call that leaves its connection open."""
    return call(served, *headers).replace(b"Connection: close\r\n", b"")


def flood(client: Client, data: bytes, mebibytes: int) -> int:
    """Send as much as the proxy takes without reading anything; return how many MiB it took."""
    client.socket.settimeout(0.5)
    piece = data * ((1 << 20) // len(data))
    for sent in range(mebibytes):
        try:
            client.send(piece)
        except (TimeoutError, ConnectionError):
            return sent
    return mebibytes


@pytest.mark.parametrize("first", ["a call that waits", "refused ones"])
def test_requests_sent_ahead_stay_unread(serve: Callable[..., Served], first: str) -> None:
    served = serve()
    with Client(served.port) as client:
        if first == "a call that waits":
            client.send(open_call(served, HANG))
        taken = flood(client, b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 64)
        assert ask(served.port, "/health", method="GET").status == 200
    assert taken < 64
    assert resident(served) < MOST_BYTES
    eventually(lambda: calls_running(served) == 0)


@pytest.mark.parametrize("ahead", [0, 1, 20])
def test_a_call_whose_client_has_left_ends_also_with_requests_sent_ahead(served: Served, ahead: int) -> None:
    key = new_key()
    with Client(served.port) as client:
        client.send(open_call(served, HANG, ("X-Session-ID", key)), *[open_call(served, HANG)] * ahead)
        eventually(lambda: calls_running(served) >= 1)
    _, response = served.call(key)

    assert response["error"]["kind"] == "client_gone"
    eventually(lambda: calls_running(served) == 0)


def test_an_upload_whose_client_has_left_ends_while_the_upstream_reads_nothing(
    serve: Callable[..., Served],
) -> None:
    def handle(connection: socket.socket, _number: int) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        time.sleep(60)

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        clients = []
        for _ in range(5):
            client = Client(served.port)
            client.send(
                b"POST /anthropic/127.0.0.1:%d/v1/messages HTTP/1.1\r\nHost: localhost\r\n" % port,
                b"Content-Length: 100000000\r\n\r\n",
            )
            flood(client, b"x" * 1024, 20)
            clients.append(client)
        eventually(lambda: calls_running(served) == len(clients))
        for client in clients:
            client.socket.close()
        eventually(lambda: calls_running(served) == 0)

        def ended() -> list[Record]:
            responses = [each for each in served.records() if each["type"] == "response"]
            return responses if len(responses) == len(clients) else []

        kinds = {each["error"]["kind"] for each in eventually(ended)}
    assert kinds == {"client_gone"}
    assert resident(served) < MOST_BYTES


def test_an_answer_that_does_not_come_and_an_upload_that_stands_still_end_in_time(
    serve: Callable[..., Served],
) -> None:
    served = serve("--answer-timeout", "1s", "--upload-timeout", "1s")
    keys = [new_key(), new_key(), new_key()]
    silent = ("x-fake", json.dumps({"fault": "hang", "after": 2}))
    streamed = ASKED[:-1] + b',"stream":true}'
    with ExitStack() as opened:
        late, broken, stuck = (opened.enter_context(Client(served.port)) for _ in keys)
        late.send(call(served, HANG, ("X-Session-ID", keys[0])))
        broken.send(call(served, silent, ("X-Session-ID", keys[1]), body=streamed))
        stuck.send(call(served, ("X-Session-ID", keys[2]))[:-10])
        answers = [late.rest(), broken.rest(), stuck.rest()]

    assert [each.status for each in answers] == [504, 200, 408]
    assert not answers[1].is_whole
    kinds = [served.call(key)[1]["error"]["kind"] for key in keys]
    assert kinds == ["timeout"] * 3


def test_heads_of_too_many_or_too_large_fields_cost_nothing(serve: Callable[..., Served]) -> None:
    served = serve()
    empty = b"GET /x HTTP/1.1\r\nHost: h\r\n" + b"a:\r\n" * 32_000 + b"\r\n"
    endless = b"GET /x HTTP/1.1\r\nHost: h\r\nX: "
    with ExitStack() as opened:
        for _ in range(100):
            client = opened.enter_context(Client(served.port))
            with suppress(ConnectionError):
                client.send(empty)
        for _ in range(100):
            flooding = opened.enter_context(Client(served.port))
            flooding.socket.settimeout(0.2)
            with suppress(ConnectionError, TimeoutError):
                flooding.send(endless + b"x" * 250_000)
        assert client.rest().status == 431
        assert ask(served.port, "/health", method="GET").status == 200
        assert resident(served) < MOST_BYTES


def test_answers_with_endless_heads_are_bounded(serve: Callable[..., Served]) -> None:
    def handle(connection: socket.socket, _number: int) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        for _ in range(300):
            connection.sendall(b"x" * 100_000)

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        raw = request_bytes(f"/anthropic/127.0.0.1:{port}/v1/messages", (), ASKED)
        with ExitStack() as opened:
            clients = [opened.enter_context(Client(served.port)) for _ in range(40)]
            for client in clients:
                client.send(raw)
            assert {client.rest().status for client in clients} == {502}
    assert resident(served) < MOST_BYTES


def few_descriptors(limit: int) -> list[str]:
    return ["prlimit", f"--nofile={limit}:{limit}"]


def test_idle_connections_shut_nobody_out_and_give_all_descriptors_back(
    serve: Callable[..., Served],
) -> None:
    served = serve(under=few_descriptors(512))
    key = new_key()
    honest = call(served, ("X-Session-ID", key))
    with Client(served.port) as client:
        client.send(honest).rest()
    served.session(key)
    before = descriptors(served)
    with ExitStack() as opened:
        for _ in range(450):
            with suppress(ConnectionError):
                opened.enter_context(Client(served.port))
        for _ in range(20):
            with Client(served.port) as client:
                assert client.send(honest).rest().status == 200
        served.session(key, calls=21)
        assert served.health()["status"] == "ok"
    eventually(lambda: descriptors(served) <= before + 5)


def test_where_all_connections_have_calls_the_health_probe_still_gets_in(
    serve: Callable[..., Served],
) -> None:
    served = serve(under=few_descriptors(256))
    with ExitStack() as opened:
        for _ in range(50):
            opened.enter_context(Client(served.port)).send(open_call(served, HANG))
        eventually(lambda: calls_running(served) == 50)
        late = opened.enter_context(Client(served.port)).send(call(served)).rest()
        assert late.status == 503
        assert served.health()["calls_running"] == 50
    eventually(lambda: calls_running(served) == 0)


def test_the_limit_of_descriptors_is_raised_as_far_as_it_goes(serve: Callable[..., Served]) -> None:
    hard = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 4096)
    served = serve(under=["prlimit", f"--nofile=256:{hard}"])
    assert served.port
    limits = Path(f"/proc/{served.process.pid}/limits").read_text(encoding="ascii")
    line = next(each for each in limits.splitlines() if each.startswith("Max open files"))

    assert line.split()[3:5] == [str(hard)] * 2


def test_a_crash_dumps_no_memory(serve: Callable[..., Served]) -> None:
    served = serve(under=["prlimit", "--core=unlimited:unlimited"])
    assert served.port
    limits = Path(f"/proc/{served.process.pid}/limits").read_text(encoding="ascii")

    assert next(each for each in limits.splitlines() if each.startswith("Max core")).split()[4:6] == [
        "0",
        "0",
    ]


def test_uploads_that_stay_open_share_a_bound_of_memory(serve: Callable[..., Served]) -> None:
    served = serve()
    part = b'{"model":"claude-x","messages":[{"role":"user","content":"' + b"x" * 3_900_000
    head = b"POST /anthropic/%s/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n"
    with ExitStack() as clients:
        for _ in range(100):
            client = clients.enter_context(Client(served.port))
            client.send(head % served.upstream.encode() + part)

        key = new_key()
        answer = ask(served.port, f"/anthropic/{served.upstream}/v1/messages", [("X-Session-ID", key)], ASKED)

        assert answer.status
        assert served.call(key)[0]["model"] == "claude-x"
        assert resident(served) < MOST_BYTES
        served.process.kill()  # to write all that was sent would take many seconds
