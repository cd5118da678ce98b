"""The first wrong things that people do, as a real client sees them, and what is advised."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

from shipper.config import LokiSettings
from shipper.loki.advice import advice_on
from shipper.loki.connect import connect, doubts_about
from shipper.loki.push.client import LokiClient
from shipper.loki.push.push import Answer, Silence
from tests.fakes.loki import FakeLoki, Order
from tests.process import free_port

URL = "https://me:secret@loki.example:3100/loki/api/v1/push?key=secret"
CERTIFICATE = Path(__file__).parents[2] / "proxy" / "localhost.pem"


def advised(**settings: object) -> str:
    """Return the advice after one real push."""
    loki = LokiSettings(enabled=True, **settings)  # type: ignore[arg-type]
    with connect(loki) as http:
        return advice_on(LokiClient(http, loki.url).push({}, b"{}"), loki.url)


def test_a_wrong_port_is_named() -> None:
    port = free_port()

    assert f"Nothing listens at 127.0.0.1:{port}" in advised(url=f"http://127.0.0.1:{port}/loki/api/v1/push")


@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (400, "stream '{}' has label value too long: 'x'", "loki.labels"),
        (400, "missing required labels team for user fake for stream {}", "loki.labels"),
        (400, "multiple org IDs present", "loki.tenant_id"),
        (401, "multiple org IDs present", "loki.tenant_id"),
    ],
)
def test_what_loki_says_of_labels_and_tenants_names_the_key(status: int, text: str, words: str) -> None:
    assert words in advice_on(Answer(status, text), URL)


def test_a_push_path_that_was_forgotten_is_named(fake_loki: FakeLoki) -> None:
    assert "/loki/api/v1/push, and loki.url has to name all of it" in advised(url=fake_loki.url)


def test_https_for_http_is_named() -> None:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Quiet)) as where:
        assert "write http:// instead of https://" in advised(url=f"https://{where}")


class Quiet(BaseHTTPRequestHandler):
    """Answers 400 to what is no HTTP, as Go's server does."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: TCPServer) -> Iterator[str]:
    """Serve in a thread, and give host, port and the path of pushes."""
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}/loki/api/v1/push"
        server.shutdown()


def test_http_for_https_is_named() -> None:
    class Secure(ThreadingTCPServer):
        def get_request(self) -> tuple[ssl.SSLSocket, object]:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    class Handshake(BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ssl.SSLError):
                self.request.do_handshake()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    with serving(Secure(("127.0.0.1", 0), Handshake)) as where:
        told, trusted = advised(url=f"http://{where}"), advised(url=f"https://{where}")

    assert "does it want https:// in loki.url?" in told
    assert "loki.ca_file" in trusted


@pytest.mark.parametrize("more", [{"auth_token": "one\ntwo"}, {"tenant_id": "team\n"}])
def test_a_line_break_in_a_token_is_named(fake_loki: FakeLoki, more: dict[str, Any]) -> None:
    assert "Look for a line break in loki.auth_token" in advised(url=fake_loki.push_url, **more)
    (doubt,) = doubts_about(LokiSettings(url=fake_loki.push_url, **more))
    assert (
        doubt
        == f"loki.{next(iter(more))} holds a line break or another control character: write it on one line"
    )


def test_a_tenant_that_is_missing_or_refused_is_named(fake_loki: FakeLoki) -> None:
    fake_loki.limit(auth_enabled=True)

    assert "set loki.tenant_id" in advised(url=fake_loki.push_url)
    assert "look at loki.tenant_id" in advised(url=fake_loki.push_url, tenant_id="a/b")


def test_a_wrong_token_is_named(fake_loki: FakeLoki) -> None:
    fake_loki.order(Order(status=401, body="unauthorized"))

    assert "refuses the credentials" in advised(url=fake_loki.push_url, auth_token="wrong")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(silence=Silence.UNREACHABLE, text="[Errno -2] Name or service not known"), "'loki.example'"),
        (Answer(silence=Silence.UNREACHABLE, text="[Errno -3] Temporary failure in name resolution"), "DNS"),
        (Answer(silence=Silence.UNREACHABLE, text="No route to host"), "no way to loki.example:3100"),
        (Answer(silence=Silence.UNREACHABLE, text="timed out"), "cannot be reached"),
        (Answer(silence=Silence.UNREACHABLE, text="CERTIFICATE_VERIFY_FAILED: has expired"), "clock here"),
        (Answer(silence=Silence.UNREACHABLE, text="CERTIFICATE_VERIFY_FAILED Hostname mismatch"), "another"),
        (Answer(silence=Silence.UNREACHABLE, text="_ssl.c:989: The handshake operation timed out"), "in TLS"),
        (Answer(silence=Silence.TIMEOUT), "loki.timeout"),
        (Answer(silence=Silence.BROKEN), "the log of Loki"),
        (Answer(400, "Client sent an HTTP request to an HTTPS server."), "write https://"),
        (Answer(400, "The plain HTTP request was sent to HTTPS port"), "write https://"),
        (Answer(400, "No required SSL certificate was sent"), "loki.cert_file"),
        (Answer(404, "404 page not found"), "takes no pushes at /loki/api/v1/push"),
        (Answer(302), "sends pushes elsewhere"),
        (Answer(200, "<html>"), "is no push endpoint"),
        (Answer(260, "ingestion blocked"), "block_ingestion_until"),
        (Answer(407), "HTTPS_PROXY"),
        (Answer(413), "raise the body limit"),
        (Answer(429, "Per stream rate limit exceeded"), "per_stream_rate_limit"),
        (Answer(429, "Maximum active stream limit exceeded"), "max_global_streams_per_user"),
        (Answer(429, "ingestion rate limit exceeded"), "ingestion_rate_mb"),
        (Answer(503, "no healthy upstream"), "in trouble"),
    ],
)  # fmt: skip
def test_each_failure_has_its_advice_without_a_secret(answer: Answer, words: str) -> None:
    told = advice_on(answer, URL)

    assert words in told
    assert "secret" not in told


def test_what_is_not_known_has_no_advice() -> None:
    assert advice_on(Answer(400, "stream must have labels"), URL) == ""
    assert advice_on(Answer(418), "http://[") == ""


def test_credentials_of_grafana_cloud_are_explained() -> None:
    assert "logs:write" in advice_on(Answer(401), "https://logs-prod-012.grafana.net/loki/api/v1/push")


@pytest.mark.parametrize(
    "url", ["http://loki:3100", "http://loki:3100/", "http://loki:3100/loki/api/v1/query"]
)
def test_an_address_that_is_no_push_endpoint_is_doubted_before_anything_is_sent(url: str) -> None:
    (doubt,) = doubts_about(LokiSettings(url=url))

    assert "has to name all of it" in doubt
    assert doubts_about(LokiSettings(url="http://loki:3100/loki/api/v1/push", headers={"X": "1"})) == []
