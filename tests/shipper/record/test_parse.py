from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.partial_json import parse_object


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":1}', {"a": 1}),
        (b' {"a":[1,{"b":null}]}\r', {"a": [1, {"b": None}]}),
        (rb'{"a":"\ud83d cut"}', {"a": "\ud83d cut"}),
        (b'{"a":"\xff"}', {"a": "\ufffd"}),
        (b'{"a":123456789012345678901234567890}', {"a": 1.2345678901234568e29}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"{}", {}),
    ],
)
def test_objects_are_read_as_they_are_met(data: bytes, expected: dict[str, Any]) -> None:
    assert parse_object(data) == expected


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b'"x"', b"5", b"null", b'{"a":', b'{"a":1} x', b"\x00" * 10, b'{"a":"\x00"}', b"\xff"],
)
def test_all_else_is_none(data: bytes) -> None:
    assert parse_object(data) is None


def test_what_is_nested_too_deep_is_told() -> None:
    with pytest.raises(RecursionError):
        parse_object(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@given(st.binary())
def test_no_bytes_are_an_error(data: bytes) -> None:
    parse_object(data)
