"""Sessions that grow: what is sent, and how it comes back from the files."""

import random
from pathlib import Path
from typing import Any

import orjson

from shipper.commands.fetch.rebuild import rebuilt
from tests.process import eventually
from tests.proxy.served import Record, Served, ask

TARGETS = {
    "anthropic": "/v1/messages",
    "openai": "/v1/chat/completions",
    "openai-responses": "/v1/responses",
    "gemini": "/v1beta/models/gemini-2.5-pro:generateContent",
    "bedrock": "/model/anthropic.claude-sonnet-4-5-v1:0/invoke",
    "bedrock-converse": "/model/anthropic.claude-sonnet-4-5-v1:0/converse",
}
LONG = "It was the best of times, it was the worst of times; "


def words(seed: int) -> str:
    """Return a text that no other seed has; half of it is escaped in JSON."""
    chance = random.Random(seed)  # noqa: S311 - texts need not be secret
    return f"{seed} " + "".join(chance.choices('abcdé \\"\n🙂', k=600))


def messages(turns: int, seed: int) -> list[dict[str, Any]]:
    """Return a history of so many turns, the beginning of each longer one of its seed."""
    return [
        {"role": ("user", "assistant")[at % 2], "content": words(1000 * seed + at)}
        for at in range(2 * turns - 1)
    ]


def body(turns: int, seed: int, name: str = "messages", **fields: Any) -> bytes:
    """Return the body of a call with such a history."""
    return orjson.dumps({"model": "m", "system": LONG * 60, name: messages(turns, seed)} | fields)


def send(served: Served, key: str, data: bytes, path: str = "anthropic", **headers: str) -> None:
    """Make a call of an API in a client's session; the answer does not matter."""
    named = [("x-claude-code-session-id", key), *headers.items()]
    segment = path.partition("-")[0]
    assert ask(served.port, f"/{segment}/{served.upstream}{TARGETS[path]}", named, data).status


def requests(log_dir: Path, *, whole: bool = True) -> list[Record]:
    """Return all requests, with whole bodies, each verified."""
    found = []
    for path in sorted(log_dir.glob("*/*/*.jsonl")):
        lines = path.read_bytes().splitlines()
        each = list(rebuilt(lines, lines.__getitem__)) if whole else []
        assert not [one.trouble for one in each if one.trouble]
        found += [
            orjson.loads(line) for line in ([one.line for one in each] if whole else lines) if _is_json(line)
        ]
    return [each for each in found if each["type"] == "request"]


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def settled(served: Served, calls: int) -> list[Record]:
    """Return the requests as they stand on record, once there are so many."""
    eventually(
        lambda: len(requests(served.log_dir, whole=False)) >= calls, what=f"{calls} requests on record"
    )
    return requests(served.log_dir, whole=False)
