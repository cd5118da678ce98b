import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.content import Content, content_in_memory
from shipper.record.partial_json import END_BYTES, members, record_of

BULK = "x" * 3 * END_BYTES
# Texts that look like JSON from within.
tricky = st.text(st.sampled_from('",:{}[]\\1truefalsn '), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 500) | tricky,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tricky, inner, max_size=3),
    max_leaves=8,
)


def out_of_memory(line: bytes) -> Content:
    return Content(len(line), lambda offset, size: line[offset : offset + size])


def encoded(record: dict[str, Any], *, compact: bool = True) -> bytes:
    return json.dumps(record, separators=(",", ":") if compact else None).encode()


@pytest.mark.parametrize("compact", [True, False])
def test_small_members_at_both_ends_are_found(*, compact: bool) -> None:
    first = {"_meta": {"ts": "now", "tags": ["a", {"b": "}"}]}, "type": "request", "seq": 1}
    last = {"headers": {"A": ["1", "2"]}, "status": 200, "model": 'say "hi"', "error": None}

    line = encoded({**first, "body": BULK, **last}, compact=compact)

    assert record_of(out_of_memory(line)) == {**first, **last}


@pytest.mark.parametrize(
    "bulk",
    [
        '"' * END_BYTES,
        "\\" * END_BYTES,
        "\n\x00" * END_BYTES,
        '{"status":500},' * END_BYTES,
        [[{"a": "b,", ",": "c"}]] * END_BYTES,
        list(range(END_BYTES)),
        {f"key {number}": "value" for number in range(END_BYTES)},
    ],
    ids=["quotes", "backslashes", "controls", "JSON in a text", "lists", "numbers", "object"],
)
def test_whatever_stands_between_them(bulk: Any) -> None:
    record = {"type": "response", "seq": 7, "body": bulk, "status": 200, "usage": {"input_tokens": 5}}

    found = record_of(out_of_memory(encoded(record)))

    assert found == {name: value for name, value in record.items() if name != "body"}


def test_a_bulky_first_member_hides_only_itself() -> None:
    line = encoded({"body": BULK, "type": "request", "seq": 3})

    assert record_of(out_of_memory(line)) == {"type": "request", "seq": 3}


def test_an_object_without_small_members_tells_nothing() -> None:
    assert record_of(out_of_memory(encoded({"body": BULK}))) is None


@given(
    st.dictionaries(tricky, values, max_size=4),
    st.integers(1, 80),
    st.integers(1, 80),
    st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_no_member_is_found_that_is_not_there(
    record: dict[str, Any], beginning: int, end: int, separators: tuple[str, str]
) -> None:
    line = json.dumps(record, separators=separators).encode()

    found = members(line[:beginning], line[-end:]) or {}

    assert found == {name: record[name] for name in found}


@pytest.mark.parametrize(
    "line", [b"[" + b"1," * 90_000 + b"1]", b"x" * 200_000, b'{"a":1,' * 30_000, b" " * 200_000]
)
def test_what_is_no_object_tells_nothing(line: bytes) -> None:
    assert record_of(out_of_memory(line)) is None


def test_an_object_in_memory_is_read_whole() -> None:
    record = {"body": "x" * 200_000, "type": "request"}

    assert record_of(content_in_memory(encoded(record))) == record


def test_of_an_object_that_is_nested_too_deep_the_ends_are_read() -> None:
    line = b'{"type":"request","body":' + b"[" * 100_000 + b"]" * 100_000 + b',"seq":1}'

    assert record_of(content_in_memory(line)) == {"type": "request", "seq": 1}


def test_a_deep_end_is_no_error() -> None:
    deep = b"[" * 5000 + b"]" * 5000

    assert members(b'{"a":1,"b":' + deep + b',"c":', b'"x,"d":' + deep + b"}") is None


@given(st.binary(), st.binary())
def test_no_bytes_are_an_error(beginning: bytes, end: bytes) -> None:
    members(b"{" + beginning, end + b"}")
