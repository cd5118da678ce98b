import socket
import threading
from collections.abc import Iterator

import pytest

from groundwork.probe import Unanswered, ask
from shipper.metrics import Metrics
from shipper.port import HealthPort
from tests.process import eventually
from tests.shipper.test_health import snapshot


@pytest.fixture
def port() -> Iterator[HealthPort]:
    served = HealthPort("127.0.0.1", 0, snapshot(ticked_at=float("inf")))
    served.publish(snapshot(ticked_at=float("inf")))
    served.start()
    yield served
    served.stop()


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
        HealthPort("127.0.0.1", port.port, snapshot())


def test_after_stop_nothing_answers() -> None:
    served = HealthPort("::1", 0, snapshot())
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
    served = HealthPort("127.0.0.1", 0, snapshot(ticked_at=float("inf")))
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
