"""Agents' sessions that grow by the turn, recorded by what is new in each call and whole, in one run."""

import http.client
import json
import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.corpus import Corpus
from benchmarks.process import cpu_seconds, peak_megabytes
from benchmarks.proxy import serving
from benchmarks.row import Row
from benchmarks.shipper import ship
from shipper.commands.fetch.rebuild import rebuilt
from tests.process import eventually, running

# Turns, and subagents with a history each, that share the session with the main thread.
_SESSIONS = ((50, 0), (200, 0), (800, 0), (50, 1), (50, 4))
# Above this the sessions are not recorded whole, which takes minutes and gigabytes.
_WHOLE_TURNS = 200
_SYSTEM, _TOOLS, _RESULT = 20_000, 20, 12_000
_MOST_OF_LAST = 3.0
_DEADLINE = 120.0
_WORDS = ("def run(self, job):\n    ", 'return "done"\n', "the tests pass, but ", "import os\n", "a\tb — c ")


@dataclass(frozen=True)
class _Recorded:
    """A session on record: the bytes of the bodies, of the last one and of the file, and what it took.

    ``waits`` are the seconds that its calls took, rising.
    ``entries`` is how many Loki has of it, and ``sent`` their bytes as it counts them.
    """

    calls: int
    bodies: int
    last: int
    size: int
    proxy: float
    shipper: float
    peak: float
    waits: list[float]
    entries: int
    sent: int


def measure() -> Iterator[Row]:
    """Yield the figures of each session; every body is rebuilt and compared with what was sent."""
    for turns, agents in _SESSIONS:
        name = f"history, {turns} turns" + (f", {agents} subagents" if agents else "")
        told = _record(turns, agents)
        whole = _record(turns, agents, "--repeat-history") if turns <= _WHOLE_TURNS else None
        of_last = told.size / told.last
        yield Row(f"{name}: bodies", told.bodies / 1e6, "MB")
        yield from _figures(name, told)
        if not agents:
            must = f"<= {_MOST_OF_LAST:g} of the last body"
            yield Row(f"{name}: file", told.size / 1e6, "MB", of_last, must, of_last <= _MOST_OF_LAST)
        if whole is not None:
            yield Row(f"{name}, whole: file", whole.size / 1e6, "MB", whole.size / told.size)
            yield from _figures(f"{name}, whole", whole)


def _figures(name: str, told: _Recorded) -> Iterator[Row]:
    yield Row(f"{name}: proxy", told.proxy / told.calls * 1000, "CPU ms/call")
    yield Row(f"{name}: shipper", told.shipper / told.calls * 1000, "CPU ms/call")
    # Of a megabyte of bodies, as a session of more turns has larger ones.
    yield Row(f"{name}: proxy", told.proxy / told.bodies * 1e9, "CPU ms/MB")
    yield Row(f"{name}: p50 of a call", told.waits[told.calls // 2] * 1000, "ms")
    yield Row(f"{name}: p99 of a call", told.waits[told.calls * 99 // 100] * 1000, "ms")
    yield Row(f"{name}: proxy's peak memory", told.peak, "MB")
    yield Row(f"{name}: entries in Loki", told.entries, "")
    yield Row(f"{name}: bytes to Loki", told.sent / 1e6, "MB")


def _record(turns: int, agents: int, *mode: str) -> _Recorded:
    with tempfile.TemporaryDirectory() as place, serving("provider") as provider:
        logs = Path(place) / "logs"
        where = ["--port", "0", "--log-dir", str(logs), "--upstreams", f"127.0.0.1:{provider}"]
        with running("llm-proxy", "serve", *where, "--min-free", "0", *mode, home=Path(place)) as process:
            port = process.wait_for("proxy.listening")["port"]
            before = cpu_seconds(process.pid)
            sizes, hashes, waits = _send(
                port, f"/anthropic/127.0.0.1:{provider}/v1/messages?small", turns, agents
            )
            eventually(lambda: _written(logs) == 2 * len(sizes) + 1, _DEADLINE)
            cpu, peak = cpu_seconds(process.pid) - before, peak_megabytes(process.pid)
        (path,) = logs.glob("*/*/*.jsonl")
        lines = path.read_bytes().splitlines()
        if not mode:
            _compare(lines, hashes)
        size = path.stat().st_size
        used = ship(logs, Corpus(1, len(lines), size, 0.0), deadline=_DEADLINE)
        return _Recorded(
            calls=len(sizes),
            bodies=sum(sizes),
            last=sizes[-1],
            size=size,
            proxy=cpu,
            shipper=used.cpu,
            peak=peak,
            waits=sorted(waits),
            entries=used.entries,
            sent=used.sent,
        )


def _send(port: int, path: str, turns: int, agents: int) -> tuple[list[int], list[int], list[float]]:
    """Make all calls, one after the other; return the size and hash of each body, and each call's seconds."""
    sizes, hashes, waits = [], [], []
    connection = http.client.HTTPConnection("127.0.0.1", port)
    headers = {"x-claude-code-session-id": str(uuid.uuid4()), "content-type": "application/json"}
    threads = [_bodies(turns, seed) for seed in range(agents + 1)]
    for bodies in zip(*reversed(threads), strict=True):
        for body in bodies:
            start = time.perf_counter()
            connection.request("POST", path, body, headers)
            connection.getresponse().read()
            waits.append(time.perf_counter() - start)
            sizes.append(len(body))
            hashes.append(hash(body))
            # A recorder that is behind leaves bodies out; agents leave it seconds.
            time.sleep(len(body) / 25e6)
    connection.close()
    return sizes, hashes, waits


def _bodies(turns: int, seed: int) -> Iterator[bytes]:
    """Yield the bodies of an agent's calls; cache markers stand in the last two messages."""
    chance = random.Random(seed)  # noqa: S311 - a corpus, the same for the same seed
    tools = [{"name": f"tool{at}", "description": _text(random.Random(at), 900)} for at in range(_TOOLS)]  # noqa: S311 - as above
    fixed = {"system": _text(chance, _SYSTEM), "tools": tools, "max_tokens": 9, "stream": False}
    messages = [_message("user", _text(chance, 400))]
    for _ in range(turns):
        marked = [json.loads(json.dumps(each)) for each in messages[-2:]]
        for each in marked:
            each["content"][0]["cache_control"] = {"type": "ephemeral"}
        yield orjson.dumps({"model": "m", "messages": [*messages[:-2], *marked], **fixed})
        messages.append(_message("assistant", _text(chance, chance.randrange(50, 1500))))
        messages.append(_message("user", _text(chance, chance.randrange(100, _RESULT))))


def _message(role: str, text: str) -> dict[str, object]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _text(chance: random.Random, size: int) -> str:
    return "".join(f"{chance.choice(_WORDS)}{chance.random()}" for _ in range(size // 32 + 1))[:size]


def _written(logs: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in logs.glob("*/*/*.jsonl"))


def _compare(lines: list[bytes], hashes: list[int]) -> None:
    """Check that each body on record is what was sent."""
    found = []
    for each in rebuilt(lines, lines.__getitem__):
        record = orjson.loads(each.line)
        if record["type"] == "request":
            if "body" not in record:
                raise ValueError(each.trouble or f"a body is left out: {record.get('omitted')}")
            found.append(hash(record["body"].encode()))
    if found != hashes:
        raise ValueError("a body on record is not what was sent")
