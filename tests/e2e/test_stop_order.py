"""What ECS does at a stop, with the real commands under load: no line may be lost, in whatever order."""

import json
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from tests.e2e.stack import Start, all_arrived, lines_on_disk, start_proxy, start_shipper
from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import Running, eventually

Stop = Callable[[Running, Running], None]

CALLERS = 6
# Long enough that calls run when the signal comes, and shorter than the grace.
_STREAM = {"x-fake": json.dumps({"deltas": 10, "pause": 0.02})}
_GRACE = "--grace=10s"


def _call_on(proxy: str, upstream: str, stop: threading.Event, name: str) -> None:
    """Make streamed calls, one after the other, until the proxy takes no more."""
    body = {"model": "m", "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": name}]}
    while not stop.is_set():
        connection = HTTPConnection(urlsplit(proxy).netloc, timeout=20)
        try:
            connection.request("POST", f"/anthropic/{upstream}/v1/messages", json.dumps(body), _STREAM)
            connection.getresponse().read()
        except (OSError, HTTPException):
            return
        finally:
            connection.close()


@contextmanager
def load(proxy: str, provider: FakeProvider) -> Iterator[None]:
    """Let clients call meanwhile; they are at it when the block begins."""
    stop = threading.Event()
    upstream = urlsplit(provider.url).netloc
    callers = [
        threading.Thread(target=_call_on, args=(proxy, upstream, stop, f"caller {number}"))
        for number in range(CALLERS)
    ]
    for each in callers:
        each.start()
    try:
        eventually(lambda: len(provider.requests) > 2 * CALLERS, what="calls under way")
        yield
    finally:
        stop.set()
        for each in callers:
            each.join()


def as_ecs_does(proxy: Running, shipper: Running) -> None:
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    shipper.signal(signal.SIGTERM)


def both_at_once(proxy: Running, shipper: Running) -> None:
    proxy.signal(signal.SIGTERM)
    shipper.signal(signal.SIGTERM)


def the_shipper_first(proxy: Running, shipper: Running) -> None:
    shipper.signal(signal.SIGTERM)
    shipper.wait_for("shipper.stopping")
    assert proxy.alive
    proxy.signal(signal.SIGTERM)


@pytest.mark.parametrize("stop", [as_ecs_does, both_at_once, the_shipper_first])
def test_no_line_is_lost(
    stop: Stop, start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    # Longer than the load lasts: what was written waits when the signal comes.
    shipper = start_shipper(start, logs, fake_loki.push_url, "--loki-batch-wait=60s")
    process, proxy = start_proxy(start, logs, fake_provider.url, _GRACE)

    with load(proxy, fake_provider):
        stop(process, shipper.process)
        assert process.wait() == 0
        assert shipper.process.wait() == 0

    assert process.wait_for("proxy.draining")["running"] > 0
    assert all_arrived(fake_loki, logs)
    types = Counter(orjson.loads(line)["type"] for line in lines_on_disk(logs))
    assert types["request"] == types["response"] > CALLERS


def test_a_shipper_that_is_told_to_stop_goes_on_while_the_proxy_lives(
    start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    shipper = start_shipper(start, logs, fake_loki.push_url)
    process, proxy = start_proxy(start, logs, fake_provider.url, _GRACE)
    shipper.process.wait_for("source.folder_found")
    shipper.process.signal(signal.SIGTERM)
    shipper.process.wait_for("shipper.stopping")

    with load(proxy, fake_provider):
        eventually(lambda: len(fake_loki.lines()) > CALLERS, what="lines written after the signal in Loki")
        assert shipper.process.alive
        assert process.terminate() == 0

    assert shipper.process.wait() == 0
    assert all_arrived(fake_loki, logs)
