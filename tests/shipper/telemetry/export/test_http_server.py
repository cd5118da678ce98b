import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from email.message import Message
from http.client import HTTPConnection

import orjson
import pytest

from groundwork.commands.probe import Unanswered, ask
from shipper.telemetry.export.http_server import HealthPort
from shipper.telemetry.health import Snapshot
from shipper.telemetry.metrics import Metrics
from shipper.telemetry.page.files import FileRow, FileState, Survey
from shipper.telemetry.page.state import About
from tests.process import eventually
from tests.shipper.telemetry.test_health import snapshot


def bound(host: str, number: int, shown: Snapshot) -> HealthPort:
    return HealthPort(host, number, shown, About(), lambda: None, has_page=True)


@pytest.fixture
def port() -> Iterator[HealthPort]:
    served = bound("127.0.0.1", 0, snapshot(ticked_at=float("inf")))
    served.publish(snapshot(ticked_at=float("inf")))
    served.start()
    yield served
    served.stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "status", "part"),
    [
        ("/health/loki", 200, b'"status":"ok"'),
        ("/health/loki?verbose=1", 200, b'"status":"ok"'),
        ("/livez", 200, b"ok"),
        ("/readyz", 200, b"ok"),
        ("/metrics", 200, b'llm_loki_ship_status{status="ok"} 1.0'),
        ("/elsewhere", 404, b"not found"),
    ],
)
def test_each_path_answers(port: HealthPort, path: str, status: int, part: bytes) -> None:
    answered, body = ask("127.0.0.1", port.port, path)

    assert answered == status
    assert part in body


def test_a_failing_delivery_is_not_ready_but_alive_and_says_why(port: HealthPort) -> None:
    port.publish(
        snapshot(ticked_at=float("inf"), exhausted=True, metrics=Metrics(last_error="503: no upstream"))
    )

    assert ask("127.0.0.1", port.port, "/readyz") == (503, b"503: no upstream\n")
    assert ask("127.0.0.1", port.port, "/livez")[0] == 200
    assert b'"status":"error"' in ask("127.0.0.1", port.port, "/health/loki")[1]


def test_a_loop_that_stands_still_fails_the_liveness_probe(port: HealthPort) -> None:
    port.publish(snapshot(ticked_at=float("-inf")))

    assert ask("127.0.0.1", port.port, "/livez")[0] == 503


def test_a_client_that_says_nothing_holds_up_no_other(port: HealthPort) -> None:
    with socket.create_connection(("127.0.0.1", port.port)):
        assert ask("127.0.0.1", port.port, "/livez")[0] == 200


def test_an_address_in_use_is_an_os_error(port: HealthPort) -> None:
    with pytest.raises(OSError, match="in use"):
        bound("127.0.0.1", port.port, snapshot())


def test_after_stop_nothing_answers() -> None:
    served = bound("::1", 0, snapshot())
    served.start()
    assert served.url.startswith("http://[::1]:")
    served.stop()

    def refused() -> bool:
        try:
            ask("::1", served.port, "/livez")
        except Unanswered:
            return True
        return False

    assert eventually(refused)


def test_nothing_is_told_of_what_waits_before_the_first_look() -> None:
    served = bound("127.0.0.1", 0, snapshot(ticked_at=float("inf")))
    served.start()
    answers: list[bytes] = []
    asking = threading.Thread(target=lambda: answers.append(ask("127.0.0.1", served.port, "/health/loki")[1]))
    asking.start()
    assert ask("127.0.0.1", served.port, "/livez")[0] == 200
    assert answers == []

    served.publish(snapshot(ticked_at=float("inf"), lag_bytes=7))
    asking.join(10)

    assert b'"lag_bytes":7' in answers[0]
    served.stop()


ROW = FileRow("host/day/s.jsonl", 10, 4, 6, FileState.WAITING, 1.0)


def test_whoever_asks_for_the_state_gets_the_files_as_they_are_now(port: HealthPort) -> None:
    def loop() -> None:
        eventually(lambda: port.is_asked)
        port.hand(Survey(1, (ROW,)))

    answering = threading.Thread(target=loop)
    answering.start()
    status, body = ask("127.0.0.1", port.port, "/status")
    answering.join()

    told = orjson.loads(body)
    assert status == 200
    assert (told["files_total"], told["files"][0]["path"]) == (1, ROW.path)
    assert not port.is_asked


def test_many_who_ask_are_one_question_to_the_loop(port: HealthPort) -> None:
    port.hand(Survey(1, (ROW,)))
    began = time.monotonic()

    for _ in range(5):
        assert ask("127.0.0.1", port.port, "/status")[0] == 200
    assert not port.is_asked or time.monotonic() - began >= 1.0


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/health/loki", "/readyz"])
def test_a_page_with_a_name_of_its_own_cannot_read_the_state(port: HealthPort, path: str) -> None:
    assert port.answer(path, "evil.example:12072").status == 403
    assert port.answer("/livez", "evil.example:12072").status == 200


def test_the_page_is_one_document_that_may_load_nothing(port: HealthPort) -> None:
    port.hand(Survey(1, (ROW,)))

    headers, body = whole("/", port.port)

    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    assert b"s.jsonl" in body


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/status", "/metrics", "/elsewhere", "/no HTTP"])
def test_what_is_no_page_may_do_nothing_in_a_browser(port: HealthPort, path: str) -> None:
    answer = raw(port.port, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

    assert b"content-security-policy: default-src 'none'; frame-ancestors 'none'\r\n" in answer
    assert b"x-content-type-options: nosniff\r\n" in answer
    assert b"\r\nserver:" not in answer


@pytest.mark.parametrize("request_line", [b"POST / HTTP/1.1", b"DELETE /status HTTP/1.1"])
def test_nothing_can_be_changed(port: HealthPort, request_line: bytes) -> None:
    assert raw(port.port, request_line + b"\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 405 ")


def test_two_hosts_are_none(port: HealthPort) -> None:
    answer = raw(port.port, b"GET /status HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))


def test_connections_that_send_nothing_go_for_new_ones(port: HealthPort) -> None:
    with ExitStack() as opened:
        first = opened.enter_context(socket.create_connection(("127.0.0.1", port.port), 10))
        for _ in range(100):
            opened.enter_context(socket.create_connection(("127.0.0.1", port.port), 10))
        assert ask("127.0.0.1", port.port, "/livez")[0] == 200
        with suppress(ConnectionResetError):
            assert first.recv(1) == b""


def raw(number: int, request: bytes) -> bytes:
    """Return all that is answered to the bytes of a request."""
    with socket.create_connection(("127.0.0.1", number), 10) as client:
        client.sendall(request)
        answer = b""
        while piece := client.recv(65536):
            answer += piece
        return answer


def whole(path: str, number: int) -> tuple[Message, bytes]:
    """Return headers and body."""
    connection = HTTPConnection("127.0.0.1", number, timeout=10)
    with closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        return response.headers, response.read()


def test_the_page_can_be_off() -> None:
    served = HealthPort("127.0.0.1", 0, snapshot(), About(), lambda: None, has_page=False)
    served.publish(snapshot())
    served.start()

    assert ask("127.0.0.1", served.port, "/")[0] == 404
    served.stop()
