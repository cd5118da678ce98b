"""The pages of ``llm-loki-ship explore`` over 2,000 sessions in 2 GB, recorded both ways."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks import corpus
from benchmarks.process import cpu_seconds, peak_megabytes
from benchmarks.row import Row
from tests.process import Running, running

_SECONDS, _MEMORY, _SEARCH, _SPEED = 1.0, 200.0, 0.2, 50.0
_DEADLINE = 900.0
_TRIES = 5
# Frequent, rare, a phrase, and what one has typed half.
_QUERIES = ("request", "bench needle", '"return def"', "sess*", "await")


def measure() -> Iterator[Row]:
    """Yield the figures of both folders."""
    for preset in (corpus.EXPLORED, corpus.EXPLORED_WHOLE):
        with tempfile.TemporaryDirectory() as place:
            logs = Path(place) / "logs"
            what = corpus.write(preset, logs)
            yield from explore(logs, preset.name, what.size)


def explore(logs: Path, name: str, size: int) -> Iterator[Row]:
    """Yield the figures of one folder: without an index, while it is built, and with it."""
    state = logs / ".llm-loki-ship"
    command = ("llm-loki-ship", "explore", "--log-dir", str(logs), "--explore-port", "0")
    with running(*command, home=logs.parent) as process:
        client, started = _client(process), time.monotonic()
        client.get("/")
        yield _bound(f"{name}: first page, no index", time.monotonic() - started, _SECONDS)
        longest = max(logs.glob("*/*/*.jsonl"), key=lambda each: each.stat().st_size).stem
        yield _bound(f"{name}: open 800 turns, no index", _timed(client, f"/session/{longest}"), _SECONDS)
        _await_index(client)
        wall = time.monotonic() - started
        speed = size / 1e6 / wall
        yield Row(f"{name}: index built", speed, "MB/s", None, f">= {_SPEED:g}", speed >= _SPEED)
        yield Row(f"{name}: CPU of it", size / 1e6 / cpu_seconds(process.pid), "MB/CPU s")
        index = sum(each.stat().st_size for each in state.glob("explore-*"))
        yield Row(f"{name}: size of the index", index / 1e6, "MB", index / size)
        for query in _QUERIES:
            yield _bound(f"{name}: search {query}", _best(client, "/search", q=query), _SEARCH)
        yield _bound(f"{name}: list", _best(client, "/"), _SECONDS)
        for page in (1, 8, 16):
            yield _bound(
                f"{name}: page {page} of 800 turns",
                _timed(client, f"/session/{longest}", page=page),
                _SECONDS,
            )
        yield _bound(f"{name}: call 790 as it was", _timed(client, f"/session/{longest}/call/790"), _SECONDS)
        yield _bound(f"{name}: peak memory", peak_megabytes(process.pid), _MEMORY, "MB")
    with running(*command, home=logs.parent) as process:
        client, started = _client(process), time.monotonic()
        client.get("/")
        yield _bound(f"{name}: first page, with an index", time.monotonic() - started, _SECONDS)
        call = _timed(client, f"/session/{longest}", call=790)
        yield _bound(f"{name}: open call 790 of 800 first", call, _SECONDS)
        yield _bound(f"{name}: peak memory of that", peak_megabytes(process.pid), _MEMORY, "MB")


def _await_index(client: httpx.Client) -> None:
    """Look seldom: the index waits for every page that is made."""
    end = time.monotonic() + _DEADLINE
    while "<progress" in client.get("/search").text and time.monotonic() < end:
        time.sleep(1)


def _client(process: Running) -> httpx.Client:
    address = process.wait_for_line("exploring ").rpartition(" on ")[2]
    return httpx.Client(base_url=address, trust_env=False, timeout=_DEADLINE)


def _timed(client: httpx.Client, path: str, **query: str | int) -> float:
    started = time.monotonic()
    client.get(path, params=query or None).raise_for_status()
    return time.monotonic() - started


def _best(client: httpx.Client, path: str, **query: str | int) -> float:
    return sorted(_timed(client, path, **query) for _ in range(_TRIES))[_TRIES // 2]


def _bound(name: str, value: float, most: float, unit: str = "s") -> Row:
    return Row(name, value, unit, None, f"<= {most:g} {unit}", value <= most)
