"""What one side sends, the other gets, byte for byte, through a real proxy."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import httpx
import pytest
import zstandard

from tests.fakes.wire import Request
from tests.process import eventually
from tests.proxy.served import Answer, Client, Served, ask, new_key, request_bytes

ASKED = b'{"model":"claude-x","max_tokens":9,"messages":[{"role":"user","content":"caf\xc3\xa9"}]}'
STREAMED = ASKED[:-1] + b',"stream":true}'


def seen(served: Served, count: int = 1) -> Request:
    requests: list[Request] = eventually(
        lambda: served.provider.requests if len(served.provider.requests) >= count else []
    )
    assert len(requests) == count
    return requests[-1]


def order(**fields: Any) -> tuple[str, str]:
    return "x-fake", json.dumps(fields)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/messages?beta=true",
        "/v1/models/org%2Fname%25",
        "/v1/a/../b/./c//d",
        "/v1/x?q=a%20b+c&q=%2F&empty=&key=x#frag",
        "/?",
        "/",
        "/v1/x?",
        "/v1/%E2%82%AC",
    ],
)
def test_path_and_query_arrive_as_sent(served: Served, path: str) -> None:
    ask(served.port, f"/anthropic/{served.upstream}{path}", body=ASKED)

    assert seen(served).line == f"POST {path} HTTP/1.1".encode("latin-1")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST"])
def test_every_method_arrives(served: Served, method: str) -> None:
    body = b"{}" if method in {"PUT", "PATCH", "POST"} else None
    answer = ask(served.port, f"/anthropic/{served.upstream}/v1/models", body=body, method=method)

    assert seen(served).method == method.encode()
    assert answer.status == 200


def test_headers_arrive_in_order_spelling_and_repeats_and_none_is_added(served: Served) -> None:
    sent = [
        ("x-API-key", "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"),
        ("Anthropic-Beta", "a-1,b-2"),
        ("anthropic-beta", "c-3"),
        ("X-Empty", ""),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("X-Latin", "caf\xe9"),
        ("Cookie", "a=b"),
        ("X-Spaces", "a  b"),
    ]
    ask(served.port, f"/anthropic/{served.upstream}/v1/messages", sent, ASKED)

    expected = [(name.encode(), value.encode("latin-1")) for name, value in sent]
    assert seen(served).headers == [
        (b"Host", served.upstream.encode()),
        *expected,
        (b"Content-Length", b"%d" % len(ASKED)),
    ]


def test_hop_by_hop_headers_and_those_of_the_proxy_do_not_arrive(served: Served) -> None:
    headers = [
        ("Connection", "x-once"),
        ("X-Once", "1"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "Basic x"),
        ("X-LLM-Proxy-Log-Bodies", "false"),
    ]
    ask(served.port, f"/anthropic/{served.upstream}/v1/models", headers, method="GET")

    assert [name for name, _ in seen(served).headers] == [b"Host"]


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.compress),
    ],
)
def test_bodies_arrive_as_sent_and_are_logged_unpacked(
    served: Served, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    key, body = new_key(), pack(ASKED)
    headers = [("Content-Encoding", coding), ("X-Session-ID", key)]
    ask(served.port, f"/anthropic/{served.upstream}/v1/messages", headers, body)

    assert seen(served).body == body
    request, _ = served.call(key)
    assert (request["body"], request["model"]) == (ASKED.decode(), "claude-x")


def test_a_chunked_body_goes_on_in_chunks_and_trailers_are_no_headers(served: Served) -> None:
    key = new_key()
    head = (
        f"POST /anthropic/{served.upstream}/v1/messages HTTP/1.1\r\nHost: localhost\r\n"
        f"X-Session-ID: {key}\r\n"
        "Transfer-Encoding: chunked\r\nTrailer: X-Api-Key\r\nConnection: close\r\n\r\n"
    ).encode()
    with Client(served.port) as client:
        client.send(head, b"%x\r\n" % 10, ASKED[:10], b"\r\n")
        client.send(b"%x\r\n" % len(ASKED[10:]), ASKED[10:], b"\r\n0\r\nX-Api-Key: evil\r\n\r\n")
        answer = client.rest()

    request = seen(served)
    assert (answer.status, request.body, list(request.trailers)) == (200, ASKED, [])
    assert [name.lower() for name, _ in request.headers] == [b"host", b"x-session-id", b"transfer-encoding"]
    assert served.call(key)[0]["body"] == ASKED.decode()


def test_a_body_is_passed_on_while_it_still_comes(served: Served) -> None:
    path = f"/anthropic/{served.upstream}/v1/messages"
    with Client(served.port) as client:
        client.send(request_bytes(path, [order(early=True)], b"x" * 300_000)[:-100_000])
        assert Answer(client.until(b"\r\n\r\n")).status == 200


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(served: Served) -> None:
    path = f"/anthropic/{served.upstream}/v1/messages"
    whole = request_bytes(path, [("Expect", "100-continue")], ASKED)
    with Client(served.port) as client:
        client.send(whole[: -len(ASKED)])
        client.until(b"HTTP/1.1 100 Continue\r\n\r\n")
        client.received = b""
        answer = client.send(ASKED).rest()

    assert (answer.status, seen(served).body) == (200, ASKED)


def both_ways(served: Served, asked: bytes, **fields: Any) -> tuple[Answer, Answer]:
    """Return what the provider answers directly, and through the proxy, to the same order."""
    path, headers = "/v1/messages", [order(**fields)]
    direct = ask(served.provider.port, path, headers, asked)
    return direct, ask(served.port, f"/anthropic/{served.upstream}{path}", headers, asked)


def comparable(answer: Answer) -> list[bytes]:
    """Return status line and headers without what is each connection's own, or made anew each time."""
    own = (b"connection:", b"transfer-encoding:", b"date:", b"request-id:")
    return [line for line in answer.head if not line.lower().startswith(own)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": 400},
        {"status": 401, "message": "no"},
        {"status": 404},
        {"status": 429, "headers": [["retry-after", "7"]]},
        {"status": 500},
        {"status": 529},
        {"status": 200, "reason": "Fine By Me"},
        {"status": 204},
        {"status": 304},
        {"status": 307, "headers": [["Location", "http://127.0.0.1:1/elsewhere"]]},
        {"body": "plain text", "headers": [["Set-Cookie", "a=1"], ["set-cookie", "b=2"], ["X-Odd", "a  b"]]},
        {"framing": "chunked"},
        {"framing": "close"},
        {"informational": [103]},
        {"framing": "chunked", "trailers": [["X-Sum", "1"]]},
        {"encoding": "gzip"},
        {"encoding": "deflate"},
        {"encoding": "br"},
        {"encoding": "zstd"},
        {"text_bytes": 2_000_000},
    ],
    ids=str,
)
@pytest.mark.parametrize("asked", [ASKED, STREAMED], ids=["plain", "streamed"])
def test_the_answer_is_the_providers(served: Served, fields: dict[str, Any], asked: bytes) -> None:
    direct, through = both_ways(served, asked, **{"body": "fixed", **fields})

    assert comparable(through) == comparable(direct)
    assert through.body == direct.body
    assert through.is_whole


def test_head_has_the_headers_of_a_body_and_none(served: Served) -> None:
    answer = ask(served.port, f"/anthropic/{served.upstream}/v1/models", method="HEAD")

    assert answer.body == b""
    assert any(line.startswith(b"Content-Length: ") for line in answer.head)


@pytest.mark.parametrize("encoding", [None, "gzip", "br", "zstd", "deflate"])
def test_events_come_through_while_the_provider_still_thinks(served: Served, encoding: str | None) -> None:
    key = new_key()
    fields = {"fault": "hang", "after": 3, **({"encoding": encoding} if encoding else {})}
    url = served.url("anthropic") + "/v1/messages"
    headers = dict([order(**fields), ("X-Session-ID", key)])
    with httpx.stream("POST", url, headers=headers, content=STREAMED, timeout=20) as coming:
        come = ""
        for text in coming.iter_text():
            come += text
            if "content_block_delta" in come:
                break
    _, response = served.call(key)

    text = "".join(each["raw"] for each in response["chunks"])
    assert text.startswith("event: message_start\n")
    assert response["error"]["kind"] == "client_gone"


@pytest.mark.parametrize("encoding", [None, "gzip", "br", "zstd", "deflate"])
def test_a_stream_is_on_record_as_text_whatever_packed_it(served: Served, encoding: str | None) -> None:
    key = new_key()
    fields = (
        {"encoding": encoding, "write_size": 7, "deltas": 9} if encoding else {"write_size": 7, "deltas": 9}
    )
    path = f"/anthropic/{served.upstream}/v1/messages"
    answer = ask(served.port, path, [order(**fields), ("X-Session-ID", key)], STREAMED)
    _, response = served.call(key)

    text = "".join(each["raw"] for each in response["chunks"])
    assert text.startswith("event: message_start\n")
    assert text.endswith('{"type":"message_stop"}\n\n')
    assert response["stop_reason"] == "end_turn"
    assert response["usage"]["output_tokens"] > 1
    assert (response["size"], "error" in response) == (len(answer.body), False)


def test_connections_are_kept_and_pipelined_requests_answered_in_turn(served: Served) -> None:
    one = request_bytes(f"/anthropic/{served.upstream}/v1/one", method="GET").replace(
        b"Connection: close\r\n", b""
    )
    two = request_bytes(f"/anthropic/{served.upstream}/v1/two", method="GET")
    with Client(served.port) as client:
        raw = client.send(one, two).rest().raw

    assert raw.index(b"/v1/one") < raw.index(b"/v1/two")
    assert raw.count(b"HTTP/1.1 200") == 2


def test_an_old_client_gets_a_body_without_chunks(served: Served) -> None:
    request = request_bytes(f"/anthropic/{served.upstream}/v1/messages", [order(framing="chunked")], ASKED)
    with Client(served.port) as client:
        answer = client.send(
            request.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Connection: close\r\n", b"")
        ).rest()

    assert b"Transfer-Encoding: chunked" not in answer.head
    assert json.loads(answer.body)["type"] == "message"


def test_an_offer_of_http_2_is_ignored(served: Served) -> None:
    path = f"/openai/{served.upstream}/v1/responses"
    offer = request_bytes(path, [("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABk")], ASKED)
    offer = offer.replace(b"Connection: close", b"Connection: Upgrade, HTTP2-Settings")
    with Client(served.port) as client:
        raw = client.send(offer, offer[:-9]).send(offer[-9:], request_bytes(path, [], ASKED)).rest().raw

    assert raw.count(b"HTTP/1.1 200 OK") == 3
    assert [each.body for each in served.provider.requests] == [ASKED] * 3
    assert [name for name, _ in served.provider.requests[0].headers] == [b"Host", b"Content-Length"]


def test_a_large_upload_goes_through_and_is_on_record_whole(served: Served) -> None:
    key, text = new_key(), "ü" * 3_000_000
    body = json.dumps(
        {"model": "m", "messages": [{"role": "user", "content": text}]}, ensure_ascii=False
    ).encode()
    answer = ask(served.port, f"/anthropic/{served.upstream}/v1/messages", [("X-Session-ID", key)], body)
    request, _ = served.call(key)

    assert answer.status == 200
    assert seen(served).body == body
    assert request["body"].encode() == body
    assert request["size"] == len(body)
