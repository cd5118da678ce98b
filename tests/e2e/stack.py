"""Proxy and shipper as real processes beside the fakes, and an oracle over files and Loki."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.fakes.loki import FakeLoki
from tests.process import Running, eventually

Start = Callable[..., Running]


def get_json(url: str) -> dict[str, Any]:
    """Return the JSON that a GET gives, whatever its status."""
    status, body = get(url)
    assert status
    found: dict[str, Any] = orjson.loads(body)
    return found


def get(url: str) -> tuple[int, bytes]:
    """Return status and body of a GET."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@dataclass
class Shipper:
    """A running shipper."""

    process: Running
    url: str
    state: Path

    @property
    def health(self) -> dict[str, Any]:
        return get_json(f"{self.url}/health/loki")

    def delivered(self, lines: int) -> bool:
        """Tell whether as many lines are in Loki and nothing waits."""
        health = self.health
        return bool(health["entries_sent"] == lines and health["lag_bytes"] == 0)


def start_shipper(
    start: Start, log_dir: Path, loki_url: str, *args: str, state: Path | None = None, **more: Any
) -> Shipper:
    """Start ``llm-loki-ship run`` with a short batch wait; it listens when this returns.

    ``state`` is where the test finds the state folder, if that is not the one inside ``log_dir``.
    """
    process = start(
        "llm-loki-ship",
        "run",
        f"--log-dir={log_dir}",
        "--loki-enabled",
        f"--loki-url={loki_url}",
        "--loki-batch-wait=200ms",
        "--shipper-health-port=0",
        *args,
        **more,
    )
    url = process.wait_for("shipper.listening")["url"]
    return Shipper(process, url, state or log_dir / ".llm-loki-ship")


def start_proxy(start: Start, log_dir: Path, upstream: str, *args: str, **more: Any) -> tuple[Running, str]:
    """Start ``llm-proxy serve`` for one upstream on loopback, and return it with its address."""
    process = start(
        "llm-proxy",
        "serve",
        f"--log-dir={log_dir}",
        "--port=0",
        f"--upstreams={urlsplit(upstream).netloc}",
        *args,
        **more,
    )
    port = process.wait_for("proxy.listening")["port"]
    return process, f"http://127.0.0.1:{port}"


def session_files(log_dir: Path) -> list[Path]:
    """Return the session files, state folders left out."""
    return sorted(
        path
        for path in log_dir.rglob("*.jsonl")
        if not any(part.startswith(".") for part in path.relative_to(log_dir).parts)
    )


def lines_on_disk(log_dir: Path) -> list[str]:
    """Return every line of every session file."""
    return [line for path in session_files(log_dir) for line in path.read_text().splitlines()]


def all_arrived(loki: FakeLoki, log_dir: Path) -> bool:
    """Tell whether Loki holds exactly the lines on disk, each once."""
    return sorted(loki.lines()) == sorted(lines_on_disk(log_dir))


def wait_until_all_arrived(loki: FakeLoki, log_dir: Path, deadline: float = 20.0) -> None:
    """Wait until Loki holds exactly the lines on disk."""
    eventually(lambda: all_arrived(loki, log_dir), deadline, "every line in Loki, once")


def copying_loki(**limits: Any) -> FakeLoki:
    """Return a Loki that keeps every copy it is sent, where the real one skips those that come soon."""
    return FakeLoki(chunk_block_size=1, **limits)


@contextmanager
def down(loki: FakeLoki) -> Iterator[None]:
    """Let a Loki refuse every push meanwhile."""
    from tests.fakes.loki import Order  # noqa: PLC0415 - beside its only use

    loki.order(Order(status=503, body="no healthy upstream", times=0))
    try:
        yield
    finally:
        loki.clear_orders()
