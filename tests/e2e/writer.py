"""Session files as the proxy writes them: one append a line, stamped now, of any size.

What was written is remembered by digest, so that a test of hours needs no memory for it.
"""

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import orjson

from tests import clock

# The host of each provider, as in the path of its files.
HOSTS = {
    "anthropic": "api.anthropic.com",
    "openai": "api.openai.com",
    "azure": "team.openai.azure.com",
    "gemini": "generativelanguage.googleapis.com",
    "bedrock": "bedrock-runtime.eu-west-1.amazonaws.com",
}
# Loki's default for the longest line: longer ones travel in parts.
LINE_LIMIT = 256 * 1024
_WORDS = (
    "path",
    "def",
    "return",
    '"quoted"',
    "a\\b",
    "naïve",
    "日本",
    "🚀",
    "\n",
    "\t",
    "import",
    "{}",
    "<html>",
)
_POOL_WORDS = 50_000

Sizes = Callable[[random.Random], int]


def coding_agent(rng: random.Random) -> int:
    """Return a line's size as in a coding agent's log: 300 bytes to 4 MB, a quarter above 256 KiB."""
    if rng.random() < 0.25:
        return rng.randrange(LINE_LIMIT + 1, 4_000_000)
    return int(300 * (LINE_LIMIT / 300) ** rng.random())


def small(rng: random.Random) -> int:
    """Return a size that Loki takes whole."""
    return rng.randrange(300, 3000)


def now_ns() -> int:
    """Return the time of a record made now."""
    return time.time_ns()


@cache
def _pool() -> str:
    return " ".join(random.Random(0).choices(_WORDS, k=_POOL_WORDS))  # noqa: S311 - text, and no secret


class Session:
    """One session file. ``begun`` is in nanoseconds, and names folder and file; now without it.

    Sessions of different providers or machines are different streams of Loki's.
    """

    def __init__(
        self,
        logs: Path,
        *,
        provider: str = "anthropic",
        machine: str = "dev@workstation",
        seed: int = 0,
        begun: int = 0,
    ) -> None:
        moment = begun or now_ns()
        self.rng = random.Random(seed)  # noqa: S311 - the same lines for the same seed
        self.name = clock.session(self.rng.getrandbits(32), moment)
        self.provider = provider
        self.machine = machine
        self.path = logs / HOSTS[provider] / clock.day(moment) / f"{self.name}.jsonl"
        self.digests: set[bytes] = set()
        self.written_bytes = 0
        self._seq = 0
        self._last = 0

    def append(self, size: int = 600, *, ts: int = 0, text: str = "") -> bytes:
        """Append one line of about ``size`` bytes and return it, without its newline."""
        line = self.line(size, ts=ts, text=text)
        self.write(line + b"\n")
        return line

    def append_many(self, count: int, size: int = 600) -> None:
        """Append lines of about one size."""
        for _ in range(count):
            self.append(size)

    def line(self, size: int = 600, *, ts: int = 0, text: str = "") -> bytes:
        """Return the next line of exactly ``size`` bytes, if that is enough for its envelope."""
        self._seq += 1
        self._last = ts or max(now_ns(), self._last + 1)
        body = text + self._words((size - len(self._encoded(text))) // 2)
        return self._encoded(body + "x" * (size - len(self._encoded(body))))

    def write(self, data: bytes) -> None:
        """Append bytes in one write, and remember the complete lines among them."""
        for line in data.split(b"\n")[:-1]:
            self.remember(line)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            done = os.write(descriptor, data)
        finally:
            os.close(descriptor)
        assert done == len(data)
        self.written_bytes += done

    def remember(self, line: bytes) -> None:
        """Note a line that has to arrive; empty ones have not."""
        if line:
            self.digests.add(hashlib.sha256(line).digest())

    def _encoded(self, body: str) -> bytes:
        meta = {
            "ts": clock.stamp(self._last),
            "machine": self.machine,
            "host": HOSTS[self.provider],
            "session": self.name,
            "request_id": f"{self.name}-{self._seq:06d}",
        }
        kind = ("request", "response")[self._seq % 2]
        record = {"type": kind, "_meta": meta, "provider": self.provider, "seq": self._seq, "body": body}
        return orjson.dumps(record)

    def _words(self, count: int) -> str:
        """Return so many characters that take less than twice as many bytes, escaped."""
        if count <= 0:
            return ""
        pool = _pool()
        start = self.rng.randrange(len(pool))
        return (pool * ((start + count) // len(pool) + 1))[start : start + count]


class Writer(threading.Thread):
    """Appends to some sessions in turn, at about ``rate`` bytes a second, until stopped."""

    def __init__(self, sessions: list[Session], sizes: Sizes, *, rate: float, seed: int = 0) -> None:
        super().__init__(daemon=True)
        self.sessions = sessions
        self._sizes = sizes
        self._rate = rate
        self._rng = random.Random(seed)  # noqa: S311 - the same run for the same seed
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.is_set():
            line = self._rng.choice(self.sessions).append(self._sizes(self._rng))
            self._stopped.wait(len(line) / self._rate)

    def stop(self) -> None:
        """End after the line that is being written."""
        self._stopped.set()
        self.join()


@contextmanager
def writing(*writers: Writer) -> Iterator[None]:
    """Let writers append meanwhile."""
    for each in writers:
        each.start()
    try:
        yield
    finally:
        for each in writers:
            each.stop()
