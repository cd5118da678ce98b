"""Session files like real traffic, the same bytes for the same seed.

Histories grow by the turn, answers are streams of hundreds of chunks, and a coding agent's requests carry the
files that it has read: 0.5 to 4 MB each. The lines have the form of ``docs/record-format.md``.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

import orjson

_HOST, _MACHINE, _MODEL = "api.anthropic.com", "dev@workstation", "claude-sonnet-5-5"
# When the first session begins.
BEGIN = datetime(2026, 11, 23, 8, tzinfo=UTC)
# Between two calls of a session, and between the starts of two sessions, in seconds.
_PAUSE, _APART = 20.0, 28.0
_TEXT = """
the of and to in is that for it as with on be by this are or from at an not have if return def class self
import None True value path error request response session model token stream file line test assert raise
async await "name" "type" 'key' {} [] () == != -> += \\n \\t // /* */ <div> </div> https:// 0 1 42 3.14
"""
_WORDS, _FOREIGN = _TEXT.split(), ["naïve", "café", "→", "✓", "🚀", "über", "—", "“quoted”", "世界"]
_POOL_CHARACTERS = 1 << 20
# In English and code a character in some hundreds is not ASCII: so many lines have one.
_FOREIGN_SHARE = 0.15
# Lines of code and prose come again: with so many, gzip packs about as well as it does real files.
_KNOWN_LINES = 700
_CHUNK_CHARACTERS = (2, 30)
# A day's work in one session, a call every 20 seconds.
_SMALL_LINES = 500


@dataclass(frozen=True)
class Preset:
    """How many sessions of each kind, and how long they are; sizes are in characters."""

    name: str
    chats: int
    chat_turns: tuple[int, int] = (3, 10)
    agents: int = 0
    agent_turns: tuple[int, int] = (6, 12)
    agent_start: int = 300_000
    agent_growth: tuple[int, int] = (20_000, 400_000)
    chunks: tuple[int, int] = (20, 150)
    message: tuple[int, int] = (200, 2_300)
    repeats: bool = True
    """Whether each body is whole on record, or by what is new in it."""


MIXED = Preset("mixed", chats=764, agents=6)
AGENT = Preset("agent", chats=150, agents=8)
TINY = Preset("tiny", chats=2, chat_turns=(2, 3), agents=1, agent_turns=(2, 2))
# 2,000 sessions in 2 GB, with one of 800 turns, recorded both ways.
EXPLORED = Preset(
    "explored", 1999, (12, 31), agents=1, agent_turns=(800, 800), agent_start=20_000,
    agent_growth=(100, 6_000), chunks=(50, 300), message=(200, 6_000), repeats=False,
)  # fmt: skip
EXPLORED_WHOLE = Preset(
    "explored whole", 1999, (10, 24), agents=1, agent_turns=(800, 800), agent_start=20_000,
    agent_growth=(50, 500), chunks=(5, 40), message=(200, 6_000),
)  # fmt: skip


@dataclass(frozen=True)
class Corpus:
    """What was written: ``size`` in bytes, and the share of them in lines above Loki's 256 KiB."""

    files: int
    lines: int
    size: int
    long_share: float


def write(preset: Preset, folder: Path, seed: int = 1) -> Corpus:
    """Write the files of a preset below a log folder."""
    traffic = _Traffic(preset, seed)
    files = lines = size = long = 0
    for name, session in traffic.sessions():
        path = folder / _HOST / f"{BEGIN:%Y-%m-%d}" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        written = list(session)
        path.write_bytes(b"".join(written))
        files, lines, size = files + 1, lines + len(written), size + sum(map(len, written))
        long += sum(len(line) for line in written if len(line) > 256 * 1024)
    return Corpus(files, lines, size, long / size)


def write_many(count: int, folder: Path) -> Corpus:
    """Write ``count`` files of one short line each, 500 a folder."""
    size = 0
    for number in range(count):
        begin = BEGIN + timedelta(seconds=number % 3600)
        name = f"{begin:%Y%m%d-%H%M%S}-{number:08x}"
        path = folder / f"host-{number // 500}.example" / f"{BEGIN:%Y-%m-%d}" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        row = {"type": "session_start", "_meta": _meta(begin, name, number), "provider": "anthropic"}
        size += path.write_bytes(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return Corpus(count, count, size, 0.0)


def write_small(lines: int, folder: Path, seed: int = 1) -> Corpus:
    """Write ``lines`` lines of about 720 bytes, as a history that is written once gives them."""
    traffic = _Traffic(TINY, seed)
    files = -(-lines // _SMALL_LINES)
    size = 0
    for number in range(files):
        begin = BEGIN + timedelta(seconds=_APART * number)
        name = f"{begin:%Y%m%d-%H%M%S}-{number:08x}"
        path = folder / _HOST / f"{BEGIN:%Y-%m-%d}" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        session = traffic.small_session(name, begin)
        most = min(_SMALL_LINES, lines - number * _SMALL_LINES)
        size += path.write_bytes(b"".join(islice(session, most)))
    return Corpus(files, lines, size, 0.0)


class _Traffic:
    def __init__(self, preset: Preset, seed: int) -> None:
        self._preset = preset
        self._random = random.Random(seed)  # noqa: S311 - the same bytes each time are what is wanted
        self._pool = self._text_pool()
        self._number = 0

    def sessions(self) -> Iterator[tuple[str, Iterator[bytes]]]:
        """Yield the name of each session, and its lines."""
        preset = self._preset
        kinds = ["chat"] * preset.chats + ["agent"] * preset.agents
        self._random.shuffle(kinds)
        for number, kind in enumerate(kinds):
            begin = BEGIN + timedelta(seconds=_APART * number)
            name = f"{begin:%Y%m%d-%H%M%S}-{self._random.getrandbits(32):08x}"
            yield name, self._session(name, begin, is_agent=kind == "agent")

    def _session(self, name: str, begin: datetime, *, is_agent: bool) -> Iterator[bytes]:
        preset = self._preset
        yield _line(self._start(name, begin))
        messages: list[dict[str, Any]] = []
        system = self._text(preset.agent_start if is_agent else self._between(preset.message))
        before = b""
        for seq in range(1, self._between(preset.agent_turns if is_agent else preset.chat_turns) + 1):
            said = self._text(self._between(preset.agent_growth if is_agent and seq > 1 else preset.message))
            messages.append({"role": "user", "content": [{"type": "text", "text": said}]})
            at = begin + timedelta(seconds=_PAUSE * seq)
            request = self._request(name, at, seq, system, messages)
            body = request["body"].encode()
            if before and not preset.repeats:
                request |= {"body_delta": _delta(before, body, seq - 1)}
                del request["body"]
            before = body
            yield _line(request)
            pieces = self._pieces()
            yield _line(self._response(name, at + timedelta(seconds=5), seq, pieces))
            messages.append({"role": "assistant", "content": [{"type": "text", "text": "".join(pieces)}]})

    def small_session(self, name: str, begin: datetime) -> Iterator[bytes]:
        """Yield requests that carry what is new, and short answers, without an end."""
        yield _line(self._start(name, begin))
        for seq in count(1):
            at = begin + timedelta(seconds=_PAUSE * seq)
            sent = {"role": "user", "content": self._text(40)}
            request = self._request(name, at, seq, "", [sent])
            whole = request.pop("body")
            pieces = [[0, 1000 * seq], orjson.dumps(sent).decode(), [1000 * seq, 40]]
            delta = {"base": seq - 1, "size": 1000 * seq + len(whole), "pieces": pieces}
            yield _line({**request, "body_delta": {**delta, "sha256": request["request_sha"]}})
            response = self._response(name, at + timedelta(seconds=5), seq, [])
            del response["chunks"]
            yield _line({**response, "body": orjson.dumps({"text": self._text(150)}).decode()})

    def _start(self, name: str, begin: datetime) -> dict[str, Any]:
        return {
            "type": "session_start",
            "_meta": self._next_meta(begin, name),
            "provider": "anthropic",
            "upstream": _HOST,
            "client_session": name,
        }

    def _request(
        self, name: str, at: datetime, seq: int, system: str, messages: list[dict[str, Any]]
    ) -> dict[str, Any]:
        sent = {"model": _MODEL, "stream": True, "max_tokens": 32000, "system": system, "messages": messages}
        body = orjson.dumps(sent)
        return {
            "type": "request",
            "_meta": self._next_meta(at, name),
            "provider": "anthropic",
            "seq": seq,
            "method": "POST",
            "path": "/v1/messages",
            "model": _MODEL,
            "stream": True,
            "history": {"n": len(messages), "chain": f"{self._random.getrandbits(128):032x}"},
            "request_sha": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "headers": {"Content-Type": ["application/json"], "X-Api-Key": ["sk-ant-api03-...wxyz"]},
            "body": body.decode(),
        }

    def _response(self, name: str, at: datetime, seq: int, pieces: list[str]) -> dict[str, Any]:
        events = [_event(piece) for piece in pieces]
        chunks = [
            {"ts": _stamp(at, number), "delta_ms": 400 + 20 * number, "raw": event}
            for number, event in enumerate(events)
        ]
        return {
            "type": "response",
            "_meta": self._next_meta(at, name),
            "provider": "anthropic",
            "seq": seq,
            "status": 200,
            "timing": {"ttfb_ms": 400, "total_ms": 400 + 20 * len(pieces)},
            "size": sum(map(len, events)),
            "model": _MODEL,
            "stop_reason": "tool_use",
            "usage": {"input_tokens": 19, "output_tokens": len(pieces), "cache_read_input_tokens": 9000},
            "tool_calls": [{"id": "toolu_01A", "name": "Bash"}, {"id": "toolu_01B", "name": "Read"}],
            "response_id": f"msg_{self._random.getrandbits(64):016x}",
            "headers": {"Content-Type": ["text/event-stream; charset=utf-8"]},
            "chunks": chunks,
        }

    def _next_meta(self, at: datetime, name: str) -> dict[str, str]:
        self._number += 1
        return _meta(at, name, self._number)

    def _pieces(self) -> list[str]:
        return [
            self._text(self._between(_CHUNK_CHARACTERS)) for _ in range(self._between(self._preset.chunks))
        ]

    def _between(self, bounds: tuple[int, int]) -> int:
        return self._random.randint(*bounds)

    def _text(self, size: int) -> str:
        """Return text of so many characters, as likely as not one that was given out before."""
        start = self._random.randrange(len(self._pool))
        return (self._pool[start : start + size] + self._pool[: max(0, start + size - len(self._pool))])[
            :size
        ]

    def _text_pool(self) -> str:
        known = [self._text_line() for _ in range(_KNOWN_LINES)]
        lines: list[str] = []
        size = 0
        while size < _POOL_CHARACTERS:
            lines.append(self._random.choice(known))
            size += len(lines[-1])
        return "".join(lines)

    def _text_line(self) -> str:
        words = self._random.choices(_WORDS, k=self._random.randint(3, 14))
        if self._random.random() < _FOREIGN_SHARE:
            words.append(self._random.choice(_FOREIGN))
        return "    " * self._random.randint(0, 3) + " ".join(words) + "\n"


def _delta(base: bytes, body: bytes, seq: int) -> dict[str, Any]:
    """Return a body as the other one up to the end of its messages, and what follows."""
    end = len(base) - len(b"]}")
    pieces = [[0, end], body[end:].decode()]
    return {"base": seq, "size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "pieces": pieces}


def _meta(at: datetime, name: str, number: int) -> dict[str, str]:
    host = hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()
    return {"ts": _stamp(at, number), "machine": _MACHINE, "host": _HOST, "session": name, "request_id": host}


def _stamp(at: datetime, number: int) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{number % 1_000_000_000:09d}Z"


def _event(piece: str) -> str:
    told = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    return f"event: content_block_delta\ndata: {orjson.dumps(told).decode()}\n\n"


def _line(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
