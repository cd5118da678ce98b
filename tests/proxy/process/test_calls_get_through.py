"""Calls that other servers and clients bring through: bytes in, bytes and records out."""

import asyncio
import json
import socket
from collections.abc import Callable

import pytest

from groundwork.settings.proxies import proxies_of
from proxy.wire.upstream.dial import Dialer
from proxy.wire.upstream.failure import ConnectError
from proxy.wire.upstream.request import Origin
from proxy.wire.upstream.resolver import GuardedResolver
from tests.process import free_port
from tests.proxy.inside import run
from tests.proxy.raw_upstream import heard, upstream
from tests.proxy.served import Answer, Client, Served, new_key, request_bytes

ASKED = b'{"model":"claude-x","messages":[{"role":"user","content":"Hello"}]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CODED = b"Transfer-Encoding: gzip, chunked"


@pytest.mark.parametrize("size", [len(ASKED), 300_000], ids=["small", "streamed"])
@pytest.mark.parametrize("ending", ["closes", "resets"])
def test_a_reused_connection_that_ends_under_a_call_is_tried_once_more(
    serve: Callable[..., Served], size: int, ending: str
) -> None:
    bodies: list[bytes] = []
    body = ASKED[:-2].ljust(size - 2) + ASKED[-2:]

    def handle(connection: socket.socket, number: int) -> None:
        heard(connection)
        connection.sendall(OK)
        if number:
            return
        bodies.append(connection.recv(100))  # the second call has left; nothing of it is answered
        if ending == "resets":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        target, key = f"/anthropic/127.0.0.1:{port}/v1/messages", new_key()
        for _ in range(2):
            with Client(served.port) as client:
                answer = client.send(request_bytes(target, [("X-Session-ID", key)], body)).rest()
                assert (answer.status, answer.body) == (200, b"ok")
        records = served.session(key, calls=2)

    assert bodies[0]
    responses = [each for each in records if each["type"] == "response"]
    requests = [each for each in records if each["type"] == "request"]
    assert [(each["status"], "error" in each) for each in responses] == [(200, False)] * 2
    assert [each["size"] for each in requests] == [size] * 2


def test_a_fresh_connection_that_ends_under_a_call_is_not_tried_again(serve: Callable[..., Served]) -> None:
    seen: list[int] = []

    def handle(connection: socket.socket, number: int) -> None:
        seen.append(number)
        heard(connection)

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        with Client(served.port) as client:
            answer = client.send(request_bytes(f"/anthropic/127.0.0.1:{port}/v1/messages", (), ASKED)).rest()

    assert (answer.status, seen) == (502, [0])


def test_an_answer_that_has_begun_is_not_asked_for_again(serve: Callable[..., Served]) -> None:
    calls: list[int] = []

    def handle(connection: socket.socket, number: int) -> None:
        for turn in range(2):
            heard(connection)
            calls.append(number)
            connection.sendall(OK if turn == 0 else b"HTTP/1.1 2")

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        target = f"/anthropic/127.0.0.1:{port}/v1/messages"
        statuses = []
        for _ in range(2):
            with Client(served.port) as client:
                statuses.append(client.send(request_bytes(target, (), ASKED)).rest().status)

    assert (statuses, calls) == ([200, 502], [0, 0])


def sent_raw(served: Served, raw: bytes, *, half_close: bool = False) -> Answer:
    with Client(served.port) as client:
        client.send(raw)
        if half_close:
            client.socket.shutdown(socket.SHUT_WR)
        return client.rest()


@pytest.mark.parametrize(
    ("line", "target"),
    [
        ("POST /anthropic/{up}/messages HTTP/1.1", "/v1/messages"),
        ("POST /anthropic/{up} HTTP/1.1", "/"),
        ("POST /anthropic/{up}?a=b HTTP/1.1", "/?a=b"),
        ("POST http://localhost:{port}/anthropic/{up}/v1/messages?x HTTP/1.1", "/v1/messages?x"),
        ("POST /anthropic/{up}/v1/modèle/messages HTTP/1.1", "/v1/modèle/messages"),
    ],
)
def test_targets_are_understood_as_other_servers_do(served: Served, line: str, target: str) -> None:
    first = line.format(up=served.upstream, port=served.port).encode()
    raw = b"%b\r\nHost: localhost\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
        first,
        len(ASKED),
        ASKED,
    )
    answer = sent_raw(served, raw)

    assert answer.status == 200
    assert served.provider.requests[-1].target == target.encode()
    assert served.provider.requests[-1].body == ASKED


@pytest.mark.parametrize("lengths", ["Content-Length: 67\r\ncontent-length: 67", "Content-Length: 67, 67"])
def test_a_length_given_twice_alike_is_one(served: Served, lengths: str) -> None:
    raw = request_bytes(f"/anthropic/{served.upstream}/v1/messages", (), ASKED)
    answer = sent_raw(served, raw.replace(b"Content-Length: 67", lengths.encode()))

    assert answer.status == 200
    assert served.provider.requests[-1].body == ASKED
    assert [value for name, value in served.provider.requests[-1].headers if b"ength" in name] == [b"67"]


def test_a_client_that_ends_its_sending_after_the_request_gets_its_answer(served: Served) -> None:
    key = new_key()
    slow = ("x-fake", json.dumps({"delay": 0.3}))
    raw = request_bytes(f"/anthropic/{served.upstream}/v1/messages", [("X-Session-ID", key), slow], ASKED)
    answer = sent_raw(served, raw, half_close=True)

    assert answer.raw.startswith(b"HTTP/1.1 200 ")
    assert answer.is_whole
    assert "error" not in served.call(key)[1]


def test_a_client_that_ends_its_sending_waits_for_a_slow_answer_too(served: Served) -> None:
    slow = ("x-fake", json.dumps({"delay": 2.5}))
    raw = request_bytes(f"/anthropic/{served.upstream}/v1/messages", [slow], ASKED)
    answer = sent_raw(served, raw, half_close=True)

    assert (answer.status, answer.is_whole) == (200, True)


@pytest.mark.parametrize(
    ("raw", "status", "told"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\nok", 200, b"X-A: b"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, b"Content-Length: 2"),
        (b"HTTP/1.1 200 OK\r\nX-A: a\x1b[2Jb\r\nContent-Length: 2\r\n\r\nok", 502, b""),
        (b"HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\nok", 502, b""),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"Content-Length: 2\r\n\r\nok", 502, b""),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * (300 << 10) + b"\r\nContent-Length: 2\r\n\r\nok", 502, b""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + OK, 200, b"Content-Length: 2"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + OK, 502, b""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 200, CODED),
    ],
)  # fmt: skip
def test_odd_answers_are_mended_or_refused(
    serve: Callable[..., Served], raw: bytes, status: int, told: bytes
) -> None:
    def handle(connection: socket.socket, _number: int) -> None:
        heard(connection)
        connection.sendall(raw)
        connection.recv(1)

    with upstream(handle) as port:
        served = serve("--upstreams", f"127.0.0.1:{port}")
        answer = sent_raw(served, request_bytes(f"/anthropic/127.0.0.1:{port}/v1/messages", (), ASKED))

    assert answer.status == status
    assert not told or answer.head.count(told) == 1
    assert b"\x1b" not in answer.raw


def timers(port: int) -> set[tuple[int, int, int]]:
    """Return keep-alive's idle, interval and count, of sockets as this process sets them."""
    found = set()

    async def test() -> None:
        dialer = Dialer(GuardedResolver(lambda _: True), proxies_of({}))
        connection = await dialer.open(Origin("http", "127.0.0.1", port))
        opened = connection.transport.get_extra_info("socket")
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        idle, interval, count = (opened.getsockopt(socket.IPPROTO_TCP, each) for each in options)
        found.add((idle, interval, count))
        connection.abort()
        await asyncio.sleep(0)

    run(test)
    return found


def test_a_silent_upstream_is_probed_within_a_minute_and_given_up_within_90_seconds(served: Served) -> None:
    ((idle, interval, count),) = timers(served.provider.port)

    assert idle < 30
    # A NAT that forgets after 30 s lets the first probe pass.
    assert 2 * idle + interval * count < 90


SOCKS5_OK = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00"


@pytest.mark.parametrize(
    ("scheme", "asked"),
    [
        ("socks5h", b"\x05\x01\x00\x03\x12upstream.invalid.x"),
        ("http", b"GET http://upstream.invalid.x/v1/x HTTP/1.1\r\n"),
        ("", b"GET http://upstream.invalid.x/v1/x HTTP/1.1\r\n"),
    ],
)
def test_proxies_of_the_environment_are_spoken_to_in_their_own_words(
    serve: Callable[..., Served], scheme: str, asked: bytes
) -> None:
    told: list[bytes] = []

    def handle(connection: socket.socket, _number: int) -> None:
        if scheme == "socks5h":
            assert connection.recv(100)[:1] == b"\x05"
            connection.sendall(b"\x05\x00")
            told.append(connection.recv(100))
            connection.sendall(SOCKS5_OK)
            heard(connection)
        else:
            told.append(heard(connection))
        connection.sendall(OK)

    with upstream(handle) as port:
        value = f"{scheme}://127.0.0.1:{port}" if scheme else f"127.0.0.1:{port}"
        served = serve("--upstreams", "http://upstream.invalid.x", ALL_PROXY=value)
        answer = sent_raw(served, request_bytes("/anthropic/upstream.invalid.x/v1/x", (), method="GET"))

    assert (answer.status, answer.body) == (200, b"ok")
    assert told[0].startswith(asked)


def test_a_tunnel_is_refused_in_words(serve: Callable[..., Served]) -> None:
    def handle(connection: socket.socket, _number: int) -> None:
        assert heard(connection).startswith(b"CONNECT api.anthropic.com:443 HTTP/1.1\r\n")
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

    with upstream(handle) as port:
        served = serve(HTTPS_PROXY=f"http://user:hunter2@127.0.0.1:{port}")
        answer = sent_raw(served, request_bytes("/anthropic/api.anthropic.com/v1/x", (), method="GET"))
        log = served.process.stderr

    assert answer.status == 502
    assert b"its proxy answered 407" in answer.body
    assert "hunter2" not in log


def test_a_socks_proxy_that_is_away_is_told() -> None:
    async def test() -> None:
        proxies = proxies_of({"ALL_PROXY": f"socks5h://127.0.0.1:{free_port()}"})
        dialer = Dialer(GuardedResolver(lambda _: True), proxies)
        with pytest.raises(ConnectError, match=r"^its proxy: Connection refused$"):
            await dialer.open(Origin("https", "api.example.com", 443))

    run(test)


def test_a_proxy_that_is_none_is_one_line_at_the_start(serve: Callable[..., Served]) -> None:
    served = serve(HTTPS_PROXY="http://user:hunter2@proxy:port")

    assert served.process.wait() == 2
    assert "HTTPS_PROXY = 'http://proxy:port' (environment)" in served.process.stderr
    assert "hunter2" not in served.process.stderr
