"""The proxy's half: the same calls directly, through a bare forwarder and through the proxy, in one run."""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import Seen
from benchmarks.process import cpu_seconds, peak_megabytes
from benchmarks.row import Row
from benchmarks.traffic import Load
from tests.process import ROOT, Running, eventually, free_port, running

BUSY, SINGLE = Load("small", 32, 6_400), Load("small", 1, 1_000)
STREAMED, LARGE = Load("stream", 16, 320), Load("large", 4, 400)
_MANY_FILES = 10_000
_SETTLE_SECONDS, _IDLE_SECONDS = 3.0, 8.0
_MOST_MEGABYTES, _MOST_IDLE_MEGABYTES, _MOST_IDLE = 100.0, 128.0, 0.01
# What the bare forwarder reaches of the direct calls; below it, the machine was too busy to tell anything.
_LEAST_FORWARDED = 0.15
_LEAST_OF_DIRECT, _LEAST_OF_BARE, _LEAST_CHUNKS = 0.2, 0.65, 0.37
_MOST_LATE, _MOST_LATE_LARGE = 2.3, 3.0


@dataclass(frozen=True)
class Ways:
    """The three ports, and the path of calls that go through."""

    direct: int
    forwarder: int
    proxy: int
    through: str


def measure() -> Iterator[Row]:
    """Yield the proxy's figures."""
    with all_ways() as (ways, process):
        yield from _busy(ways)
        yield from _latency(ways, SINGLE, "proxy, 1 connection, 2 KB", _MOST_LATE)
        yield from _chunks(ways)
        yield from _latency(ways, LARGE, "proxy, 4 connections, 300 KB", _MOST_LATE_LARGE)
        yield _memory("proxy: peak memory over all of that", peak_megabytes(process.pid), _MOST_MEGABYTES)
    yield from _idle()


@contextlib.contextmanager
def all_ways() -> Iterator[tuple[Ways, Running]]:
    """Start the provider, the forwarder and the proxy, which is the process that comes along."""
    with tempfile.TemporaryDirectory() as place, serving("provider") as direct, serving("forwarder") as bare:
        upstream = f"127.0.0.1:{direct}"
        with _proxy(Path(place), upstream) as process:
            port = process.wait_for("proxy.listening")["port"]
            yield Ways(direct, bare, port, f"/anthropic/{upstream}"), process


def _busy(ways: Ways) -> Iterator[Row]:
    name = "proxy, 32 connections, 2 KB"
    direct = _best(ways.direct, "", BUSY)
    bare = _best(ways.forwarder, ways.through, BUSY)
    proxied = _best(ways.proxy, ways.through, BUSY)
    yield Row(f"{name}: direct", direct, "calls/s")
    share = bare / direct
    counts = share >= _LEAST_FORWARDED
    yield Row(f"{name}: bare forwarder", bare, "calls/s", share, f">= {_LEAST_FORWARDED:g} of direct", counts)
    share = proxied / direct
    yield Row(
        f"{name}", proxied, "calls/s", share, f">= {_LEAST_OF_DIRECT:g} of direct", share >= _LEAST_OF_DIRECT
    )
    share = proxied / bare
    yield Row(
        f"{name}, to the forwarder",
        proxied,
        "calls/s",
        share,
        f">= {_LEAST_OF_BARE:g} of it",
        share >= _LEAST_OF_BARE,
    )


def _latency(ways: Ways, load: Load, name: str, most: float) -> Iterator[Row]:
    direct = call(ways.direct, "", load)
    proxied = call(ways.proxy, ways.through, load)
    ratio = proxied.p50 / direct.p50
    yield Row(f"{name}: direct, p50", direct.p50, "ms")
    yield Row(f"{name}: p50", proxied.p50, "ms", ratio, f"<= {most:g} times direct", ratio <= most)


def _chunks(ways: Ways) -> Iterator[Row]:
    name = "proxy, 16 streams of 200 chunks"
    direct = max(call(ways.direct, "", STREAMED).chunks for _ in range(2))
    proxied = max(call(ways.proxy, ways.through, STREAMED).chunks for _ in range(2))
    share = proxied / direct
    yield Row(f"{name}: direct", direct, "chunks/s")
    yield Row(name, proxied, "chunks/s", share, f">= {_LEAST_CHUNKS:g} of direct", share >= _LEAST_CHUNKS)


def _idle() -> Iterator[Row]:
    """Start beside many files, and do nothing."""
    with tempfile.TemporaryDirectory() as place:
        day = Path(place) / "logs" / "api.anthropic.com" / "2026-01-01"
        day.mkdir(parents=True)
        for number in range(_MANY_FILES):
            name = f"20260101-000000-{number:08x}"
            start = {"type": "session_start", "_meta": {"session": name}, "provider": "anthropic"}
            (day / f"{name}.jsonl").write_text(json.dumps(start) + "\n", encoding="utf-8")
        with _proxy(Path(place), "127.0.0.1:1") as process:
            process.wait_for("proxy.listening")
            time.sleep(_SETTLE_SECONDS)
            before = cpu_seconds(process.pid)
            time.sleep(_IDLE_SECONDS)
            idle = (cpu_seconds(process.pid) - before) / _IDLE_SECONDS
            peak = peak_megabytes(process.pid)
    name = f"proxy, {_MANY_FILES:,} files"
    yield Row(f"{name}: idle", idle * 100, "% CPU", None, f"< {_MOST_IDLE:.0%}", idle < _MOST_IDLE)
    yield _memory(f"{name}: peak memory", peak, _MOST_IDLE_MEGABYTES)


def _memory(name: str, peak: float, most: float) -> Row:
    return Row(name, peak, "MB", None, f"<= {most:g}", peak <= most)


def _best(port: int, path: str, load: Load) -> float:
    """Return the better of two runs: what else the machine does can only take away."""
    return max(call(port, path, load).calls for _ in range(2))


def call(port: int, path: str, load: Load) -> Seen:
    """Make the calls from a process of their own."""
    words = [str(port), path, load.kind, str(load.connections), str(load.calls)]
    command = [sys.executable, "-m", "benchmarks.load", *words]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Seen(**json.loads(told.stdout))


@contextlib.contextmanager
def serving(module: str) -> Iterator[int]:
    """Run one of the modules here as a server; yield its port."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", f"benchmarks.{module}", str(port)], cwd=ROOT) as server:
        try:
            eventually(lambda: _answers(port))
            yield port
        finally:
            server.kill()


def _answers(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), 1):
        return True


@contextlib.contextmanager
def _proxy(place: Path, upstream: str) -> Iterator[Running]:
    flags = ["--port", "0", "--log-dir", str(place / "logs"), "--upstreams", upstream, "--min-free", "0"]
    with running("llm-proxy", "serve", *flags, home=place) as process:
        yield process
