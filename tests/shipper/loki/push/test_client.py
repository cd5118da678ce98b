import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import respx

from groundwork.text import without_credentials
from shipper.config import LokiSettings
from shipper.loki.connect import Bearer, UnusableError, connect, problem_with
from shipper.loki.push.client import LokiClient
from shipper.loki.push.push import Answer, Silence
from tests.fakes.loki import FakeLoki

URL = "http://loki:3100/loki/api/v1/push"


@pytest.fixture
def client() -> Iterator[LokiClient]:
    with connect(LokiSettings(url=URL)) as http:
        yield LokiClient(http, URL)


@respx.mock
def test_a_push_is_one_post_of_the_body_to_the_address(client: LokiClient) -> None:
    route = respx.post(URL).respond(204)

    assert client.push({"Content-Type": "application/json"}, b"{}") == Answer(204)
    assert route.calls.last.request.content == b"{}"
    assert route.calls.last.request.headers["Content-Type"] == "application/json"


def test_nothing_keeps_a_body_that_was_sent(fake_loki: FakeLoki) -> None:
    body = bytes(100_000)
    with connect(LokiSettings(url=fake_loki.push_url)) as http:
        client = LokiClient(http, fake_loki.push_url)
        before = sys.getrefcount(body)
        gc.disable()
        try:
            client.push({"Content-Type": "application/json"}, body)
            assert sys.getrefcount(body) == before
        finally:
            gc.enable()


@respx.mock
def test_status_text_and_retry_after_come_back(client: LokiClient) -> None:
    respx.post(URL).respond(429, text="too fast", headers={"Retry-After": "7"})

    assert client.push({}, b"") == Answer(429, "too fast", retry_after=7.0)


@respx.mock
def test_only_the_beginning_of_a_long_answer_is_read(client: LokiClient) -> None:
    respx.post(URL).respond(400, text="x" * 10_000_000)

    assert len(client.push({}, b"").text) == 16 * 1024


@respx.mock
def test_a_redirect_is_an_answer_and_is_not_followed(client: LokiClient) -> None:
    respx.post(URL).respond(301, headers={"Location": "http://elsewhere/"})

    assert client.push({}, b"").status == 301


@pytest.mark.slow
@respx.mock
@pytest.mark.parametrize(
    ("error", "silence"),
    [
        (httpx.ConnectError("refused"), Silence.UNREACHABLE),
        (httpx.ConnectTimeout("slow"), Silence.UNREACHABLE),
        (httpx.ProxyError("no"), Silence.UNREACHABLE),
        (httpx.ReadTimeout("slow"), Silence.TIMEOUT),
        (httpx.WriteTimeout("slow"), Silence.TIMEOUT),
        (httpx.ReadError("reset"), Silence.BROKEN),
        (httpx.RemoteProtocolError("torn"), Silence.BROKEN),
    ],
)
def test_each_silence_is_told_by_whether_loki_can_have_stored_anything(
    client: LokiClient, error: Exception, silence: Silence
) -> None:
    respx.post(URL).mock(side_effect=error)

    assert client.push({}, b"") == Answer(silence=silence, text=str(error))


@respx.mock
def test_credentials_tenant_and_headers_travel_with_each_push() -> None:
    route = respx.post(URL).respond(204)
    settings = LokiSettings(url=URL, auth_token=" secret\n", tenant_id="team", headers={"X-Extra": "1"})
    with connect(settings) as http:
        LokiClient(http, URL).push({}, b"")

    sent = route.calls.last.request.headers
    assert (sent["Authorization"], sent["X-Scope-OrgID"], sent["X-Extra"]) == ("Bearer secret", "team", "1")


def test_a_token_that_no_request_can_carry_is_told_without_the_token(fake_loki: FakeLoki) -> None:
    with connect(LokiSettings(url=fake_loki.push_url, auth_token="geheim\r\nX-Other: 1")) as http:
        answer = LokiClient(http, fake_loki.push_url).push({}, b"")

    assert answer.silence is Silence.UNREACHABLE
    assert "geheim" not in answer.text
    assert fake_loki.pushes == []


@respx.mock
def test_the_token_file_is_read_again_when_loki_refuses_the_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    route = respx.post(URL).mock(
        side_effect=lambda request: httpx.Response(
            204 if request.headers["Authorization"] == "Bearer new" else 401
        )
    )
    with connect(LokiSettings(url=URL, auth_token_file=str(file))) as http:
        client = LokiClient(http, URL)
        file.write_text("new\n")

        assert client.push({}, b"").status == 204
    assert route.call_count == 2


def test_a_token_file_that_is_not_there_sends_no_token(tmp_path: Path) -> None:
    request = next(Bearer("", str(tmp_path / "none")).auth_flow(httpx.Request("POST", URL)))

    assert "Authorization" not in request.headers


@respx.mock
def test_a_user_and_password_travel_as_basic_authentication() -> None:
    route = respx.post(URL).respond(204)
    with connect(LokiSettings(url=URL, username="me", password="pw")) as http:
        LokiClient(http, URL).push({}, b"")

    assert route.calls.last.request.headers["Authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("", "is empty"),
        ("loki:3100/push", "expected http"),
        ("ftp://loki/push", "expected http"),
        ("http://", "expected http"),
        ("http://loki:port/push", "loki.url"),
        ("http://[::1/push", "loki.url"),
    ],
)
def test_an_address_that_cannot_be_used_is_told(url: str, part: str) -> None:
    assert part in problem_with(url)


def test_the_password_in_an_address_is_never_told() -> None:
    for url in ("http://me:secret@loki:99x/push", "ftp://me:secret@loki/push", "http://me:secret@[::1/push"):
        assert "secret" not in problem_with(url)
    assert without_credentials("https://me:secret@loki/push?key=1") == "https://loki/push"


def test_a_certificate_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableError, match=r"loki\.ca_file"):
        connect(LokiSettings(url="https://loki/push", ca_file=str(tmp_path / "none.pem")))
