"""Bodies of every API, and none: each comes back from the file as the client sent it."""

import base64
import gzip
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
import zstandard

from tests.proxy.history import LONG, TARGETS, body, messages, requests, send, settled, words
from tests.proxy.served import Served, new_key

Serve = Callable[..., Served]
TURNS = range(1, 6)


def chat(turns: int) -> bytes:
    return body(turns, 11)


def responses(turns: int) -> bytes:
    return body(turns, 12, "input", instructions=LONG * 20)


def gemini(turns: int) -> bytes:
    told = [
        {"role": {"user": "user"}.get(each["role"], "model"), "parts": [{"text": each["content"]}]}
        for each in messages(turns, 13)
    ]
    return orjson.dumps({"systemInstruction": {"parts": [{"text": LONG * 60}]}, "contents": told})


def converse(turns: int) -> bytes:
    told = [{"role": each["role"], "content": [{"text": each["content"]}]} for each in messages(turns, 14)]
    return orjson.dumps({"messages": told, "system": [{"text": LONG * 60}]})


def invoke(turns: int) -> bytes:
    return body(turns, 15, anthropic_version="bedrock-2023-05-31")


def picture(turns: int) -> bytes:
    """Return a history whose first message has an image, and whose later ones have more."""
    chance = random.Random(16)  # noqa: S311 - an image need not be secret
    told: list[dict[str, Any]] = []
    for each in messages(turns, 16):
        data = base64.b64encode(chance.randbytes(90_000)).decode()
        source = {"type": "base64", "media_type": "image/png", "data": data}
        text = {"type": "text", "text": each["content"]}
        parts = [{"type": "image", "source": source}, text] if each["role"] == "user" else [text]
        told.append({"role": each["role"], "content": parts})
    return orjson.dumps({"model": "m", "messages": told})


def plain(turns: int) -> bytes:
    """Return text that is no JSON, though some of it looks like it."""
    return "\n".join(words(seed) + LONG * 9 for seed in range(turns)).encode() + b'\n{"cut off": "'


def spaced(turns: int) -> bytes:
    """Return JSON as people indent it, all beyond ASCII escaped."""
    text = orjson.dumps(orjson.loads(chat(turns)), option=orjson.OPT_INDENT_2).decode()
    return "".join(
        each if ord(each) < 0x7F else f"\\u{ord(each):04x}" for each in text if each != "🙂"
    ).encode()


BODIES: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "OpenAI chat": ("openai", chat),
    "OpenAI responses": ("openai-responses", responses),
    "Gemini": ("gemini", gemini),
    "Bedrock Converse": ("bedrock-converse", converse),
    "Bedrock": ("bedrock", invoke),
    "images in base64": ("anthropic", picture),
    "no JSON": ("anthropic", plain),
    "indented": ("anthropic", spaced),
}


def whole(served: Served) -> list[bytes]:
    return [each["body"].encode() for each in requests(served.log_dir)]


@pytest.fixture(scope="module")
def sent() -> dict[str, list[bytes]]:
    return {name: [make(turns) for turns in TURNS] for name, (_, make) in BODIES.items()}


def test_bodies_of_every_api_come_back_exactly(serve: Serve, sent: dict[str, list[bytes]]) -> None:
    served = serve()
    keys = {name: new_key() for name in BODIES}
    for at in range(len(TURNS)):
        for name, (path, _) in BODIES.items():
            send(served, keys[name], sent[name][at], path)
    told = settled(served, len(BODIES) * len(TURNS))
    by_path: dict[str, list[bool]] = {}
    for each in told:
        by_path.setdefault(each["path"], []).append("body_delta" in each)

    assert sorted(whole(served)) == sorted(data for bodies in sent.values() for data in bodies)
    assert set(by_path) == set(TARGETS.values())
    for path in set(TARGETS.values()) - {TARGETS["anthropic"]}:
        assert by_path[path] == [False] + [True] * 4, path
    # A new image can be more than half of a body, and text that is no JSON has no strings to cut it at.
    assert sum(by_path[TARGETS["anthropic"]]) >= 8


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_compressed_bodies_come_back_as_their_text(serve: Serve, coding: str) -> None:
    served, key = serve(), new_key()
    compress: Callable[[bytes], bytes] = gzip.compress if coding == "gzip" else zstandard.compress
    for turns in TURNS:
        send(served, key, compress(chat(turns)), **{"content-encoding": coding})
    told = settled(served, len(TURNS))

    assert ["body_delta" in each for each in told] == [False] + [True] * 4
    assert whole(served) == [chat(turns) for turns in TURNS]


def test_a_body_that_is_no_text_stays_whole_and_the_next_has_its_base_further_back(serve: Serve) -> None:
    served, key = serve(), new_key()
    packed = gzip.compress(chat(7))
    for data in (chat(6), packed, chat(8)):
        send(served, key, data)
    told = settled(served, 3)

    assert [each.get("body_encoding", "") for each in told] == ["", "base64", ""]
    assert [each.get("body_delta", {}).get("base") for each in told] == [None, None, 1]
    assert base64.b64decode(told[1]["body"]) == packed
    assert requests(served.log_dir)[2]["body"].encode() == chat(8)


def test_parallel_calls_of_one_session_come_back(serve: Serve) -> None:
    served, key = serve(), new_key()
    send(served, key, chat(2))
    # Subagents with histories of their own, side by side with calls that all go on from the same one.
    bodies = [body(turns, 100 + seed) for turns in (1, 2, 3) for seed in range(4)]
    bodies += [body(3, 11, metadata={"side": at}) for at in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda data: send(served, key, data), bodies))
    settled(served, 1 + len(bodies))

    assert sorted(whole(served)) == sorted([chat(2), *bodies])


def test_each_branch_of_a_fork_comes_back_from_its_own_file(serve: Serve) -> None:
    served, key = serve(), new_key()
    base = messages(3, 17)
    branches = [[*base, *messages(turns, seed)] for seed in (18, 19, 20) for turns in (1, 2, 3)]
    # Both of the later ones go on from what the first went on from, after it did.
    bodies = [
        orjson.dumps({"model": "m", "system": LONG * 60, "messages": told}) for told in [base, *branches]
    ]
    for data in bodies:
        send(served, key, data)
    settled(served, len(bodies))
    files = list(served.log_dir.glob("*/*/*.jsonl"))
    first = [
        next(each for each in map(orjson.loads, path.read_bytes().splitlines()) if each["type"] == "request")
        for path in files
    ]

    assert sorted(whole(served)) == sorted(bodies)
    assert len(files) > 1
    assert all("body" in each for each in first)
