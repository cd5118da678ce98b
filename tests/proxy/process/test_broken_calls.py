"""Whatever happens to a call: the client is told the truth, and each request has its one response."""

import json
from typing import Any

import pytest

from tests.process import eventually
from tests.proxy.served import Answer, Client, Served, ask, new_key, request_bytes

ASKED = b'{"model":"claude-x","messages":[{"role":"user","content":"Hello"}]}'
STREAMED = ASKED[:-1] + b',"stream":true}'
KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"


def order(**fields: Any) -> tuple[str, str]:
    return "x-fake", json.dumps(fields)


def call(served: Served, key: str, body: bytes = STREAMED, **fields: Any) -> Answer:
    headers = [order(**fields), ("X-Session-ID", key), ("x-api-key", KEY)]
    return ask(served.port, f"/anthropic/{served.upstream}/v1/messages?key={KEY}", headers, body)


@pytest.mark.parametrize(
    ("fault", "framing"),
    # Without a length or chunks, an orderly close is the end.
    [("reset", "chunked"), ("reset", "length"), ("reset", "close"), ("cut", "chunked"), ("cut", "length")],
)
@pytest.mark.parametrize("body", [ASKED, STREAMED], ids=["plain", "streamed"])
def test_an_answer_that_breaks_off_never_ends_well(
    served: Served, fault: str, framing: str, body: bytes
) -> None:
    key = new_key()
    answer = call(served, key, body, fault=fault, after=2, framing=framing, write_size=20)
    _, response = served.call(key)

    assert not answer.is_whole or answer.ended == "reset"
    assert (response["error"]["kind"], response["status"]) == ("upstream", 200)
    logged = response["body"] if "body" in response else "".join(each["raw"] for each in response["chunks"])
    assert len(logged) == response["size"] >= 20
    assert answer.body == logged.encode()[: len(answer.body)]


def test_a_reset_reaches_even_a_client_that_knows_no_chunks(served: Served) -> None:
    raw = request_bytes(
        f"/anthropic/{served.upstream}/v1/messages", [order(fault="reset", after=2)], STREAMED
    )
    with Client(served.port) as client:
        answer = client.send(raw.replace(b"HTTP/1.1", b"HTTP/1.0")).rest()

    assert answer.ended == "reset"


@pytest.mark.parametrize("fault", ["reset", "cut"])
def test_an_upstream_that_ends_before_it_answers_is_a_bad_gateway(served: Served, fault: str) -> None:
    key = new_key()
    answer = call(served, key, fault=fault, after=-1)
    _, response = served.call(key)

    assert answer.status == 502
    assert answer.message.startswith("llm-proxy: ")
    assert "\n" not in answer.message
    assert (response["error"]["kind"], response["status"]) == ("upstream", 502)


def test_an_upstream_that_cannot_be_reached_is_a_bad_gateway_in_one_line_without_secrets(
    served: Served,
) -> None:
    key = new_key()
    headers = [("X-Session-ID", key), ("x-api-key", KEY)]
    answer = ask(served.port, f"/anthropic/127.0.0.1:1/v1/messages?key={KEY}", headers, ASKED)
    request, response = served.call(key)

    assert answer.status == 502
    assert answer.message == "llm-proxy: cannot reach 127.0.0.1:1: Connection refused"
    assert response["error"] == {"kind": "connect", "message": "cannot reach 127.0.0.1:1: Connection refused"}
    assert response["timing"]["total_ms"] >= 0
    assert request["query"] == "key=sk-ant-api03-...wxyz"
    served.process.wait_for("proxy.call_failed", kind="connect")
    assert KEY[-12:] not in served.process.stderr


def test_an_upstream_that_speaks_no_http_is_a_bad_gateway(served: Served) -> None:
    key = new_key()
    answer = call(served, key, ASKED, headers=[["Bad Name", "x"]])

    assert answer.status == 502
    assert served.call(key)[1]["error"]["kind"] == "upstream"


@pytest.mark.parametrize("after", [-1, 2])
def test_a_client_that_leaves_ends_the_call_upstream(served: Served, after: int) -> None:
    key = new_key()
    headers = [order(fault="hang", after=after), ("X-Session-ID", key)]
    with Client(served.port) as client:
        client.send(request_bytes(f"/anthropic/{served.upstream}/v1/messages", headers, STREAMED))
        if after > 0:
            client.until(b"message_start")
        else:
            eventually(lambda: served.provider.requests)
    _, response = served.call(key)

    assert response["error"]["kind"] == "client_gone"
    assert response["status"] == (200 if after > 0 else 0)
    eventually(lambda: served.health()["calls_running"] == 0)
    eventually(lambda: served.provider.call(lambda: len(served.provider._listener.peers)) <= 1)


def test_a_client_that_leaves_amid_its_upload_leaves_a_record(served: Served) -> None:
    key = new_key()
    raw = request_bytes(f"/anthropic/{served.upstream}/v1/messages", [("X-Session-ID", key)], b"x" * 200_000)
    with Client(served.port) as client:
        client.send(raw[:100_000])
    request, response = served.call(key)

    assert 0 < request["size"] < 200_000
    assert len(request["body"]) == request["size"]
    assert response["error"]["kind"] == "client_gone"


def test_an_error_within_a_stream_is_on_record(served: Served) -> None:
    key = new_key()
    answer = call(served, key, fault="error", after=2)
    _, response = served.call(key)

    assert answer.is_whole
    assert response["error"]["kind"] == "provider"
    assert response["error"]["message"]


def test_a_refusal_of_the_provider_is_no_error_of_the_exchange(served: Served) -> None:
    key = new_key()
    call(served, key, status=529)
    _, response = served.call(key)

    assert (response["status"], "error" in response) == (529, False)
    assert json.loads(response["body"])["type"] == "error"


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/", 400),
        ("/nothing/here/at-all", 400),
        ("/anthropic/..", 400),
        ("/anthropic/../v1/messages", 400),
        ("/anthropic/evil.example/v1/messages", 403),
        ("/openai/169.254.169.254/latest/meta-data", 403),
    ],
)
def test_a_refused_call_is_answered_in_one_line_and_leaves_no_file(
    served: Served, target: str, status: int
) -> None:
    assert served.health()
    before = sorted(served.log_dir.rglob("*"))
    answer = ask(served.port, target, (), ASKED)

    assert answer.status == status
    assert answer.message.startswith("llm-proxy: ")
    assert "\n" not in answer.message
    assert sorted(served.log_dir.rglob("*")) == before
    assert served.provider.requests == []


@pytest.mark.parametrize("header", [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")])
def test_a_web_page_is_refused(served: Served, header: tuple[str, str]) -> None:
    answer = ask(served.port, f"/anthropic/{served.upstream}/v1/messages", [header], ASKED)

    assert (answer.status, served.provider.requests) == (403, [])


def test_a_refused_upload_can_be_read_to_its_end(served: Served) -> None:
    answer = ask(served.port, "/nothing/here/at-all", (), b"x" * 3_000_000)

    assert (answer.status, answer.is_whole) == (400, True)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01 this is no HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Name: x\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 270_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 600_000, 431),
    ],
)
def test_what_is_no_request_is_answered_clearly(served: Served, sent: bytes, status: int) -> None:
    with Client(served.port) as client:
        answer = client.send(sent).rest()

    assert answer.status == status
    assert answer.message.startswith("llm-proxy: ")


def test_what_calls_no_model_is_not_logged(served: Served) -> None:
    before = len(served.records())
    for path in ("/v1/models", "/v1/models/claude-x"):
        assert ask(served.port, f"/anthropic/{served.upstream}{path}", (), b"{}").status == 200
    assert ask(served.port, f"/anthropic/{served.upstream}/v1/messages", method="GET").status == 200
    key = new_key()
    call(served, key)
    served.call(key)

    assert len(served.records()) == before + 3
