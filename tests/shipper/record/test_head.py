from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.head import BEGINNING_BYTES, HEAD_BYTES, head_of
from shipper.record.split import LEAST_BYTES

SPLIT = {"id": "0123456789abcdef-999999999999", "bytes": 2**40, "sha256": "f" * 64, "parts": 10**6}
META = {
    "ts": "2026-11-23T10:15:00.123456789Z",
    "machine": "dev@workstation",
    "host": "api.anthropic.com",
    "session": "20261123-101500-a1b2c3d4",
    "request_id": "0b5e8f9c-3c1d-4c67-9a53-5a1d2f0e7c11",
}
SMALL = {
    "type": "response",
    "_meta": META,
    "provider": "anthropic",
    "seq": 5,
    "status": 200,
    "model": "claude",
}


def head(record: dict[str, Any] | None, beginning: bytes = b"", most: int = 262_144) -> dict[str, Any]:
    made = head_of(record, beginning, SPLIT, most)
    assert len(made) <= min(most, HEAD_BYTES)
    read = orjson.loads(made)
    assert read.pop("_split") == SPLIT
    assert isinstance(read, dict)
    return read


def test_small_fields_stay_and_bulky_ones_are_shortened() -> None:
    usage = {"input_tokens": 5, "output_tokens": 7}
    body = "long " * 60_000
    record = {**SMALL, "usage": usage, "path": "/v1/messages", "body": body}

    read = head(record)

    assert read == {**SMALL, "usage": usage, "path": "/v1/messages", "body": body[:1024] + "…"}


BULKS: dict[str, dict[str, Any]] = {
    "one huge text": {"body": "x" * 4_000_000},
    "only quotes": {"body": '"' * 300_000},
    "only controls": {"body": "\x00" * 300_000},
    "ten thousand keys": {f"key {number}": "v" * 30 for number in range(10_000)},
    "many long keys": {"k" * 1000 + str(number): 1 for number in range(300)},
    "many chunks": {"chunks": [{"raw": "data: x" * 99, "delta_ms": 5}] * 3000},
    "headers": {"headers": {f"X-{number}": ["v" * 3000] for number in range(200)}},
    "widest characters": {"body": "🙂" * 100_000},
}


@pytest.mark.parametrize("bulk", BULKS.values(), ids=BULKS.keys())
def test_whatever_is_bulky_the_envelope_stays_whole(bulk: dict[str, Any]) -> None:
    assert head({**bulk, **SMALL}).items() >= SMALL.items()


def test_an_envelope_that_is_bulky_itself_is_shortened() -> None:
    record = {
        **SMALL,
        "model": "m" * 1_000_000,
        "tool_calls": [{"name": "n" * 5000}] * 999,
        "error": ["e" * 9] * 9999,
    }
    read = head(record)

    assert read["type"] == "response"
    assert read["_meta"] == META
    assert read["model"].startswith("mmmm")


def test_even_an_envelope_of_the_worst_texts_fits() -> None:
    worst = "\x00" * 100_000
    names = ("type", "provider", "upstream", "seq", "model", "stream", "status", "stop_reason", "error")
    record = dict.fromkeys(names, worst) | {"_meta": dict.fromkeys(META, worst) | {"more": worst}}
    record |= dict.fromkeys(("usage", "tool_calls", "timing"), worst)

    assert head(record).keys() >= {"type", "_meta"}


def test_deep_nesting_is_hinted_at() -> None:
    nested: Any = "x" * 9000
    for _ in range(500):
        nested = {"a": [nested]}

    assert head({**SMALL, "body": nested})["body"] == {"a": [{"a": "…"}]}


@pytest.mark.parametrize("value", [2**64, -(2**70), float("inf"), float("nan"), "\ud83d alone", ["\udfff"]])
def test_values_that_json_does_not_have_are_replaced(value: Any) -> None:
    assert head({**SMALL, "odd": value}).items() >= SMALL.items()


def test_a_line_that_is_no_object_shows_its_beginning() -> None:
    assert head(None, b"\xff\x00plain")["beginning"] == "\ufffd\x00plain"
    assert head(None, b"\x00" * BEGINNING_BYTES)["beginning"] == "\x00" * BEGINNING_BYTES


def test_a_member_that_is_called_split_does_not_count() -> None:
    assert head({"type": "request", "_split": {"id": "forged"}}) == {"type": "request"}


any_text = st.text(st.characters(), max_size=40)
any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | any_text
    | any_text.map(lambda text: text * 200),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(any_text, inner, max_size=5),
    max_leaves=30,
)


@given(st.dictionaries(any_text | st.sampled_from(["type", "_meta", "model", "error"]), any_json))
def test_any_record_has_a_head_at_any_limit(record: dict[str, Any]) -> None:
    head(record)
    head(record, most=LEAST_BYTES)


def test_a_head_shrinks_with_the_longest_line_that_loki_takes() -> None:
    record = {**SMALL, "body": "x" * 9000, "error": "\x00" * 9000}

    assert head(record, most=2048).items() >= SMALL.items()
    assert head({"type": "\x00" * 99, "model": "\x00" * 99, "_meta": META}, most=1024) == {}
    assert head(None, b"\x00" * BEGINNING_BYTES, most=1024)["beginning"].strip("\x00") == ""
