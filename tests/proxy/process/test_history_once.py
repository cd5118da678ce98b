"""Sessions that grow, recorded by what is new in each call: every body comes back, whatever happens."""

import gzip
import hashlib
from collections.abc import Callable

import orjson
import pytest

from tests.process import eventually
from tests.proxy.history import LONG, body, requests, send, settled
from tests.proxy.served import Served, new_key

Serve = Callable[..., Served]


@pytest.mark.parametrize("path", ["anthropic", "openai", "openai-responses"])
def test_each_body_comes_back_and_only_what_is_new_is_on_record(serve: Serve, path: str) -> None:
    served, key = serve(), new_key()
    name = "input" if path == "openai-responses" else "messages"
    sent = [body(turns, 1, name) for turns in range(1, 9)]
    for data in sent:
        send(served, key, data, path)
    told = settled(served, len(sent))

    assert ["body" in each for each in told] == [True] + [False] * 7
    assert [each["body_delta"]["base"] for each in told[1:]] == list(range(1, 8))
    assert [each["body"].encode() for each in requests(served.log_dir)] == sent
    assert all(
        each["request_sha"] == hashlib.sha256(data).hexdigest() for each, data in zip(told, sent, strict=True)
    )


def test_a_compressed_body_is_told_by_its_text(serve: Serve) -> None:
    served, key = serve(), new_key()
    sent = [body(turns, 2) for turns in (3, 4)]
    for data in sent:
        send(served, key, gzip.compress(data), **{"content-encoding": "gzip"})
    told = settled(served, 2)

    assert "body_delta" in told[1]
    assert [each["body"].encode() for each in requests(served.log_dir)] == sent


def test_with_repeat_history_each_body_is_whole(serve: Serve) -> None:
    served, key = serve("--repeat-history"), new_key()
    for turns in (3, 4, 5):
        send(served, key, body(turns, 3))

    assert [each["body"].encode() for each in settled(served, 3)] == [body(turns, 3) for turns in (3, 4, 5)]


def test_what_is_masked_stands_in_no_piece(serve: Serve) -> None:
    served, key = serve("--redact", "secret-[0-9]+"), new_key()
    texts = ["My secret-12345 is here. " + LONG * 20, LONG * 8 + " secret-", "9 no, secret-777 " + LONG * 8]
    for count in (1, 2, 3):
        told = [{"role": "user", "content": text} for text in texts[:count]]
        send(served, key, orjson.dumps({"model": "m", "messages": told}))
    records = settled(served, 3)
    raw = b"".join(path.read_bytes() for path in served.log_dir.glob("*/*/*.jsonl"))

    assert [each["redacted"] for each in records] == [1, 1, 2]
    assert "body_delta" in records[2]
    assert b"secret-1" not in raw
    assert b"secret-7" not in raw
    assert b"secret-9" not in raw
    assert "My [redacted] is here" in requests(served.log_dir)[2]["body"]


def test_a_file_that_was_removed_begins_whole_again(serve: Serve) -> None:
    served, key = serve(), new_key()
    send(served, key, body(3, 4))
    settled(served, 1)
    eventually(lambda: served.health()["records_written"] == 3)
    for path in served.log_dir.glob("*/*/*.jsonl"):
        path.unlink()
    send(served, key, body(4, 4))

    assert [each["body"].encode() for each in settled(served, 1)] == [body(4, 4)]


def test_after_a_kill_amid_many_sessions_every_body_on_record_comes_back(serve: Serve) -> None:
    first = serve()
    keys = [new_key() for _ in range(20)]
    for turns in (2, 3, 4):
        for seed, key in enumerate(keys):
            send(first, key, body(turns, seed))
    eventually(lambda: len(requests(first.log_dir, whole=False)) >= len(keys))
    first.process.kill()
    second = serve()
    for turns in (5, 6):
        for seed, key in enumerate(keys):
            send(second, key, body(turns, seed))
    eventually(lambda: second.health()["records_written"] >= 2 * 40)  # of each call request and response
    sent = {body(turns, seed) for seed in range(20) for turns in range(2, 7)}
    found = requests(second.log_dir)

    assert {each["body"].encode() for each in found} <= sent
    assert {body(turns, seed) for seed in range(20) for turns in (5, 6)} <= {
        each["body"].encode() for each in found
    }
