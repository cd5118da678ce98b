"""What the provider does on command, byte for byte."""

import base64
import contextlib
import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import brotli
import httpx
import pytest
import zstandard

from tests.fakes.provider import FakeProvider, Order
from tests.fakes.provider.order import Encoding
from tests.process import Running

BODY = b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}'


@pytest.fixture
def http(fake_provider: FakeProvider) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fake_provider.url, trust_env=False, timeout=10) as client:
        yield client


def raw(provider: FakeProvider, head: bytes, body: bytes = b"") -> bytes:
    """Send bytes and return all that comes until the connection ends."""
    with socket.create_connection(("127.0.0.1", provider.port), timeout=10) as connection:
        connection.sendall(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        answered = b""
        with contextlib.suppress(ConnectionResetError):
            while received := connection.recv(65536):
                answered += received
    return answered


def stream(provider: FakeProvider, order: Order | None = None) -> bytes:
    if order:
        provider.order(order)
    return raw(provider, b"POST /v1/messages HTTP/1.1\r\n", BODY)


def content(answered: bytes) -> bytes:
    """Join the chunks of a chunked answer, as far as they go."""
    rest, made = answered.partition(b"\r\n\r\n")[2], b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        made += rest[: int(size, 16)]
        rest = rest[int(size, 16) + 2 :]
    return made


def test_a_whole_stream_ends_with_its_last_chunk(fake_provider: FakeProvider) -> None:
    answered = stream(fake_provider)
    assert answered.endswith(b"\r\n0\r\n\r\n")
    assert content(answered).startswith(b"event: message_start\n")
    assert content(answered).endswith(b'data: {"type":"message_stop"}\n\n')


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_stream_that_breaks_off_has_no_end(fake_provider: FakeProvider, fault: Any) -> None:
    answered = stream(fake_provider, Order(fault=fault, after=2))
    assert content(answered).count(b"event: ") == 2
    assert not answered.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("fault", ["cut", "reset"])
def test_a_connection_that_breaks_before_the_head(fake_provider: FakeProvider, fault: Any) -> None:
    assert stream(fake_provider, Order(fault=fault, after=-1)) == b""


def test_a_plain_answer_shorter_than_its_length(http: httpx.Client, fake_provider: FakeProvider) -> None:
    fake_provider.order(Order(fault="cut", after=1, write_size=10))
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/v1/messages", json={})


def test_a_stall_lasts_until_the_client_goes(http: httpx.Client, fake_provider: FakeProvider) -> None:
    fake_provider.order(Order(fault="hang", after=1))
    with (
        pytest.raises(httpx.ReadTimeout),
        http.stream("POST", "/v1/messages", content=BODY, timeout=httpx.Timeout(10, read=0.5)) as answer,
    ):
        b"".join(answer.iter_raw())


DECODERS: dict[Encoding, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


@pytest.mark.parametrize("encoding", DECODERS)
def test_a_compressed_stream_can_be_read_event_by_event(
    fake_provider: FakeProvider, encoding: Encoding
) -> None:
    whole = stream(fake_provider, Order(encoding=encoding))
    assert f"Content-Encoding: {encoding}".encode() in whole
    assert DECODERS[encoding](content(whole)).endswith(b'{"type":"message_stop"}\n\n')
    cut = content(stream(fake_provider, Order(encoding=encoding, fault="cut", after=2)))
    readers: dict[Encoding, Callable[[], bytes]] = {
        "gzip": lambda: zlib.decompressobj(31).decompress(cut),
        "deflate": lambda: zlib.decompressobj().decompress(cut),
        "br": lambda: brotli.Decompressor().process(cut),
        "zstd": lambda: zstandard.ZstdDecompressor().decompressobj().decompress(cut),
    }
    assert readers[encoding]().count(b"event: ") == 2


def test_the_head_is_exactly_as_ordered(fake_provider: FakeProvider) -> None:
    order = Order(
        status=299,
        reason="Odd",
        headers=(
            ("X-One", "1"),
            ("set-cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("content-type", "text/plain"),
        ),
        body="héllo",
        informational=(103,),
    )
    fake_provider.order(order)
    answered = raw(fake_provider, b"GET /anything HTTP/1.1\r\n")
    assert answered.startswith(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 299 Odd\r\n")
    assert b"X-One: 1\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\ncontent-type: text/plain\r\n" in answered
    assert answered.endswith(b"Content-Length: 6\r\n\r\n" + "héllo".encode())


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body(fake_provider: FakeProvider, status: int) -> None:
    answered = stream(fake_provider, Order(status=status))
    assert answered.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in answered
    assert b"chunked" not in answered


def test_a_redirect(http: httpx.Client, fake_provider: FakeProvider) -> None:
    fake_provider.order(Order(status=307, headers=(("Location", "/elsewhere"),), body=""))
    answer = http.post("/v1/messages", content=BODY)
    assert (answer.status_code, answer.headers["Location"]) == (307, "/elsewhere")


def test_a_head_request_gets_the_head_only(fake_provider: FakeProvider) -> None:
    answered = raw(fake_provider, b"HEAD /v1/models HTTP/1.1\r\n")
    assert b"Content-Length: " in answered
    assert answered.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("framing", "mark"), [("length", b"Content-Length: "), ("close", b"Connection: close")]
)
def test_a_stream_in_another_framing(fake_provider: FakeProvider, framing: Any, mark: bytes) -> None:
    answered = stream(fake_provider, Order(framing=framing))
    assert mark in answered
    assert answered.endswith(b'data: {"type":"message_stop"}\n\n')


def test_trailers(fake_provider: FakeProvider) -> None:
    assert stream(fake_provider, Order(trailers=(("X-Sum", "7"),))).endswith(b"0\r\nX-Sum: 7\r\n\r\n")


def test_writes_may_cut_anywhere(fake_provider: FakeProvider) -> None:
    answered = stream(fake_provider, Order(write_size=7, text="日本語"))
    assert b"\r\n7\r\n" in answered
    assert "日".encode() in content(answered)


def test_a_long_text(fake_provider: FakeProvider) -> None:
    answered = content(stream(fake_provider, Order(text_bytes=1_000_000, deltas=1000)))
    assert answered.count(b"content_block_delta") == 2000
    assert len(answered) > 1_000_000


def test_an_early_answer_does_not_wait_for_the_body(fake_provider: FakeProvider) -> None:
    fake_provider.order(Order(status=413, early=True))
    with socket.create_connection(("127.0.0.1", fake_provider.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_continue_is_sent_when_expected(fake_provider: FakeProvider) -> None:
    with socket.create_connection(("127.0.0.1", fake_provider.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/messages HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_orders_are_used_up_in_turn_and_only_for_their_path(
    http: httpx.Client, fake_provider: FakeProvider
) -> None:
    fake_provider.order(Order(status=500, path="/responses"), Order(status=529, times=2))
    statuses = [http.post(path, json={}).status_code for path in ["/v1/messages"] * 3 + ["/v1/responses"]]
    assert statuses == [529, 529, 200, 500]


def test_an_order_in_a_header_is_for_its_own_request(http: httpx.Client) -> None:
    order = {"x-fake": json.dumps({"status": 429})}
    answer = http.post("/v1/messages", json={}, headers={**order, "anthropic-version": "2023-06-01"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert http.post("/v1/messages", json={}).status_code == 200
    assert http.post("/v1/messages", json={}, headers={"x-fake": "{"}).status_code == 400


def test_a_body_of_bytes(http: httpx.Client, fake_provider: FakeProvider) -> None:
    fake_provider.order(Order(body_base64=base64.b64encode(b"\xff\x00").decode()))
    assert http.get("/file").content == b"\xff\x00"


def test_what_arrived_is_told_as_it_came(fake_provider: FakeProvider, http: httpx.Client) -> None:
    raw(
        fake_provider, b"POST /v1//x/../y?a=%2F HTTP/1.1\r\nhOsT: here\r\nX-Same: 1\r\nx-same: 2\r\n", b"\xff"
    )
    (told,) = http.get("/_fake/requests").json()["requests"]
    assert told["line"] == "POST /v1//x/../y?a=%2F HTTP/1.1"
    assert told["headers"][:3] == [["hOsT", "here"], ["X-Same", "1"], ["x-same", "2"]]
    assert base64.b64decode(told["body"]) == b"\xff"
    (request,) = fake_provider.requests
    assert request.body == b"\xff"
    fake_provider.clear()
    assert fake_provider.requests == []


def test_down_refuses_for_a_while(start: Callable[..., Running]) -> None:
    url = start("fake-provider").wait_for_line("listening on ")
    assert httpx.post(f"{url}/_fake/down", content=b"60", trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)
