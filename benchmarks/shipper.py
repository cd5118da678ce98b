"""The shipper's half: a real process over a real folder, into a sink that only answers."""

import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson

from benchmarks import corpus, limit
from benchmarks.corpus import Corpus
from benchmarks.process import cpu_seconds, peak_megabytes
from benchmarks.row import Row
from tests.process import ROOT, Running, eventually, running

# Promtail 3.6.15 on the reference machine, into the same kind of sink, in MB/s.
_PROMTAIL = 54.0
_LATE_SPEED = 80.0
# Of the limit, with large lines and with small ones, which cost by the line.
_SHARE, _SMALL_SHARE = 0.55, 0.12
_MOST_MEGABYTES, _MOST_IDLE, _MOST_STEADY = 100.0, 0.005, 0.06
_SMALL_LINES = 150_000
_SETTLE_SECONDS, _IDLE_SECONDS, _MANY_FILES = 3.0, 8.0, 10_000
_LIVE_FILES, _LIVE_SECONDS = 300, 10
_APPENDS, _BATCH_WAIT, _LATE_MS = 20, 0.2, 50.0
_SMALL_BYTES, _LARGE_BYTES = 10_000_000, 2_000_000_000
_ALIKE = 1.2
_DEADLINE, _LARGE_DEADLINE = 60.0, 200.0


@dataclass(frozen=True)
class Used:
    """What one run took: CPU and wall in seconds, memory in MB, and the share of a CPU that it idles with.

    ``entries`` is how many were pushed, and ``sent`` their bytes as Loki counts them, with metadata.
    """

    cpu: float
    wall: float
    memory: float
    idle: float
    entries: int
    sent: int


def measure() -> Iterator[Row]:
    """Yield the shipper's figures."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        yield from _mixed(folder)
        yield from _small(folder)
        yield from _agent(folder)
        yield from _many(folder)
        yield _latency(folder)
        yield _steady(folder)


def _mixed(folder: Path) -> Iterator[Row]:
    logs = folder / "mixed"
    what = corpus.write(corpus.MIXED, logs)
    size = what.size / 1e6
    name = f"shipper, {size:.0f} MB"
    best = size / min(limit.gzip_json(logs) for _ in range(2))
    yield Row(f"{name}: limit, escape and gzip", best, "MB/CPU s")
    json = ship(logs, what, rest=_IDLE_SECONDS)
    yield _speed(f"{name}: gzip JSON", what, json, best, _SHARE)
    yield Row(
        f"{name}: at 0 ms", size / json.wall, "MB/s", None, f"> {_PROMTAIL:g}", size / json.wall > _PROMTAIL
    )
    yield _memory(f"{name}: peak memory", json)
    yield _idleness(f"{name}: idle afterwards", json)
    late = ship(logs, what, delay=50)
    speed = size / late.wall
    yield Row(f"{name}: at 50 ms", speed, "MB/s", None, f">= {_LATE_SPEED:g}", speed >= _LATE_SPEED)
    yield _memory(f"{name}: peak memory at 50 ms", late)
    best = size / min(limit.snappy(logs) for _ in range(2))
    yield Row(f"{name}: limit, snappy", best, "MB/CPU s")
    yield _per_second(f"{name}: protobuf", what, ship(logs, what, encoding="protobuf"), best)
    yield from _backlogs(folder, logs, what)


def _small(folder: Path) -> Iterator[Row]:
    logs = folder / "small"
    what = corpus.write_small(_SMALL_LINES, logs)
    name = f"shipper, {_SMALL_LINES:,} lines of {what.size / what.lines:.0f} bytes"
    for encoding, least in (("json", limit.gzip_json), ("protobuf", limit.snappy)):
        best = what.size / 1e6 / min(least(logs) for _ in range(2))
        yield Row(f"{name}: limit, {encoding}", best, "MB/CPU s")
        used = ship(logs, what, encoding=encoding)
        yield _speed(f"{name}: {encoding}", what, used, best, _SMALL_SHARE)
        yield Row(f"{name}: {encoding}, a line", used.cpu / what.lines * 1e6, "us CPU")
        yield _memory(f"{name}: {encoding}, peak memory", used)
    shutil.rmtree(logs)


def _per_second(name: str, what: Corpus, used: Used, best: float) -> Row:
    value = what.size / 1e6 / used.cpu
    return Row(name, value, "MB/CPU s", value / best)


def _speed(name: str, what: Corpus, used: Used, best: float, bound: float) -> Row:
    row = _per_second(name, what, used, best)
    share = row.value / best
    return Row(name, row.value, row.unit, share, f">= {bound:g} of its limit", share >= bound)


def _memory(name: str, used: Used) -> Row:
    return Row(name, used.memory, "MB", None, f"<= {_MOST_MEGABYTES:g}", used.memory <= _MOST_MEGABYTES)


def _idleness(name: str, used: Used) -> Row:
    return Row(name, used.idle * 100, "% CPU", None, f"< {_MOST_IDLE:.1%}", used.idle < _MOST_IDLE)


def _agent(folder: Path) -> Iterator[Row]:
    logs = folder / "agent"
    what = corpus.write(corpus.AGENT, logs)
    name = f"shipper, {what.size / 1e6:.0f} MB, {what.long_share:.0%} in long lines"
    best = what.size / 1e6 / min(limit.gzip_json(logs) for _ in range(2))
    yield Row(f"{name}: limit", best, "MB/CPU s")
    yield _speed(f"{name}: gzip JSON", what, ship(logs, what), best, _SHARE)
    yield _per_second(f"{name}: protobuf", what, ship(logs, what, encoding="protobuf"), best)
    shutil.rmtree(logs)


def _many(folder: Path) -> Iterator[Row]:
    logs = folder / "many"
    what = corpus.write_many(_MANY_FILES, logs)
    used = ship(logs, what, rest=_IDLE_SECONDS)
    name = f"shipper, {_MANY_FILES:,} files written a moment ago"
    yield _idleness(f"{name}: idle", used)
    yield _memory(f"{name}: peak memory", used)
    shutil.rmtree(logs)


def _latency(folder: Path) -> Row:
    """Append a line now and then, and see how long after ``batch_wait`` a sink has it."""
    logs = folder / "live" / "api.anthropic.com" / "2026-11-23"
    logs.mkdir(parents=True)
    with _sink(0) as address, _shipper(folder / "live", address, "--loki-batch-wait", "200ms") as process:
        process.wait_for("shipper.listening")
        late = sorted(_delay(logs / "20261123-080000-00000000.jsonl", address) for _ in range(_APPENDS))
    worst = (late[-1] - _BATCH_WAIT) * 1000
    return Row(
        f"shipper: after batch_wait, worst of {_APPENDS}", worst, "ms", None, "<= 50", worst <= _LATE_MS
    )


def _delay(path: Path, address: str) -> float:
    """Append a line, and return the seconds until its push was answered."""
    before = httpx.get(address).json()["pushes"]
    _append(path)
    written = time.monotonic()
    eventually(lambda: httpx.get(address).json()["pushes"] > before, _DEADLINE)
    return float(httpx.get(address).json()["last"]) - written


def _steady(folder: Path) -> Row:
    """Append a line a second to each of some hundred files, one after the other."""
    logs = folder / "steady" / "api.anthropic.com" / "2026-11-23"
    logs.mkdir(parents=True)
    paths = [logs / f"20261123-080000-{number:08x}.jsonl" for number in range(_LIVE_FILES)]
    with _sink(0) as address, _shipper(folder / "steady", address) as process:
        process.wait_for("shipper.listening")
        for path in paths:
            _append(path)
        before, start = cpu_seconds(process.pid), time.monotonic()
        for path in paths * _LIVE_SECONDS:
            _append(path)
            time.sleep(1 / _LIVE_FILES)
        share = (cpu_seconds(process.pid) - before) / (time.monotonic() - start)
    name = f"shipper: {_LIVE_FILES} lines a second, into as many files"
    return Row(name, share * 100, "% CPU", None, f"<= {_MOST_STEADY:.0%}", share <= _MOST_STEADY)


def _append(path: Path) -> None:
    row = {"type": "request", "_meta": {"ts": datetime.now(UTC).isoformat()}, "provider": "anthropic"}
    with path.open("ab") as file:
        file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


def _backlogs(folder: Path, logs: Path, what: Corpus) -> Iterator[Row]:
    """Compare the memory for two backlogs: some of the files, and all of them over many days."""
    small = ship(*_some(logs, folder / "small", what, _SMALL_BYTES))
    large = ship(*_over_days(logs, folder / "large", what, _LARGE_BYTES), deadline=_LARGE_DEADLINE)
    shutil.rmtree(folder / "large")
    ratio = large.memory / small.memory
    name = f"shipper: peak memory, {_LARGE_BYTES / 1e9:g} GB for {_SMALL_BYTES / 1e6:g} MB"
    yield Row(name, large.memory, "MB", ratio, f"<= {_ALIKE:g} times", ratio <= _ALIKE)
    yield Row(f"shipper: {_LARGE_BYTES / 1e9:g} GB", _LARGE_BYTES / 1e6 / large.wall, "MB/s")


def ship(
    logs: Path,
    what: Corpus,
    *,
    delay: int = 0,
    encoding: str = "json",
    rest: float = 0.0,
    deadline: float = _DEADLINE,
) -> Used:
    """Let a new shipper deliver all of a folder, and idle for so long.

    The folder is put in its place when the process waits for it, so that its start is not counted.
    """
    with tempfile.TemporaryDirectory() as place, _sink(delay) as address:
        home = Path(place)
        with _shipper(home / "logs", address, "--loki-encoding", encoding) as process:
            port = process.wait_for("shipper.listening")["port"]
            process.wait_for("source.folder_awaited")
            before = cpu_seconds(process.pid)
            (home / "logs").symlink_to(logs)
            # A process without a folder looks for it once a second.
            process.wait_for("source.folder_found")
            start = time.monotonic()
            eventually(lambda: _is_delivered(port, what), deadline)
            cpu, wall = cpu_seconds(process.pid) - before, httpx.get(address).json()["last"] - start
            told = _told(port)
            entries = told["entries_sent_total"] + told["parts_sent_total"]
            peak, idle = peak_megabytes(process.pid), _idle_share(process.pid, rest)
            return Used(cpu, wall, peak, idle, entries, told["sent_bytes_total"])


def _shipper(logs: Path, address: str, *flags: str) -> AbstractContextManager[Running]:
    where = ["--log-dir", str(logs), "--shipper-state-dir", str(logs.with_name(f"{logs.name}-state"))]
    loki = ["--loki-enabled", "--loki-url", f"{address}/loki/api/v1/push"]
    rest = ["--shipper-health-port", "0", "--log-format", "json"]
    return running("llm-loki-ship", "run", *where, *loki, *rest, *flags, home=logs.parent)


def _idle_share(pid: int, seconds: float) -> float:
    if not seconds:
        return 0.0
    time.sleep(_SETTLE_SECONDS)
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / seconds


def _told(port: int) -> dict[str, int]:
    """Return the shipper's metrics without labels, by their names without its own."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    found = re.findall(r"^llm_loki_ship_(\w+) (\S+)$", text, re.MULTILINE)
    return {name: int(float(value)) for name, value in found}


def _is_delivered(port: int, what: Corpus) -> bool:
    # Rarely, as each look costs the process a millisecond.
    time.sleep(0.5)
    told = httpx.get(f"http://127.0.0.1:{port}/health/loki").json()
    return bool(told["entries_sent"] >= what.lines and not told["lag_bytes"])


def _some(logs: Path, place: Path, what: Corpus, size: int) -> tuple[Path, Corpus]:
    """Copy the longest sessions that fit into so many bytes: their lines are like those of all."""
    files = lines = taken = 0
    for path in sorted(logs.rglob("*.jsonl"), key=lambda each: each.stat().st_size, reverse=True):
        data = path.read_bytes()
        if taken + len(data) <= size:
            _write(place, logs, path, [data])
            files, lines, taken = files + 1, lines + data.count(b"\n"), taken + len(data)
    return place, Corpus(files, lines, taken, what.long_share)


def _over_days(logs: Path, place: Path, what: Corpus, size: int) -> tuple[Path, Corpus]:
    """Let each session go on for some days before its own, the same each day, for about so many bytes."""
    days = -(-size // what.size)
    stamp = b'"ts":"%b'
    today = corpus.BEGIN
    dates = [f"{today - timedelta(days=ago):%Y-%m-%d}".encode() for ago in reversed(range(days))]
    for path in sorted(logs.rglob("*.jsonl")):
        data = path.read_bytes()
        _write(place, logs, path, (data.replace(stamp % dates[-1], stamp % date) for date in dates))
    return place, Corpus(what.files, what.lines * days, what.size * days, what.long_share)


def _write(place: Path, logs: Path, path: Path, pieces: Iterable[bytes]) -> None:
    target = place / path.relative_to(logs)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        file.writelines(pieces)


@contextlib.contextmanager
def _sink(delay: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.sink", str(delay)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as sink:
        try:
            yield (sink.stdout.readline() if sink.stdout else "").strip()
        finally:
            sink.kill()
