"""That a head made of beginnings is the head made of the whole line."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.content import content_in_memory
from shipper.record.envelope import Envelope, Meta, Timing, Usage, envelope_of, envelope_of_record
from shipper.record.head import head_of
from shipper.record.labels import labels_of, metadata_of
from shipper.record.partial_json import beginnings_of, record_of

SPLIT = {"id": "0", "bytes": 1, "sha256": "0", "parts": 1}
TABLES = (Envelope, Meta, Usage, Timing)
MEMBERS = [*sorted({name for table in TABLES for name in table.__struct_encode_fields__}), "name", "body"]
TEXTS = ["a", "\u00e4", "\u4e16", "\U0001f680", '"', "\\", "\n", "\0", "ab\U0001f680"]


def heads(line: bytes) -> tuple[bytes, bytes]:
    content = content_in_memory(line)
    both = (beginnings_of(content), record_of(content))
    first, second = (head_of(each, line[:1024], SPLIT, 8192) for each in both)
    return first, second


@given(
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=5), st.integers(1_000, 30_000), st.integers(0, 7)
)
def test_long_texts_are_shown_alike(pieces: list[str], times: int, shift: int) -> None:
    body = "x" * shift + "".join(pieces) * times
    line = orjson.dumps({"type": "request", "seq": 1, "body": body, "stream": True})

    first, second = heads(line)

    assert first == second


@pytest.mark.parametrize("shift", range(13))
@pytest.mark.parametrize("escape", [b"\\ud83d\\ude80", b"\\ud83d", b"\\u00e4", b"\\\\", b'\\"', b"\\/"])
def test_no_escape_is_cut_in_two(escape: bytes, shift: int) -> None:
    line = b'{"type":"request","body":"' + b"x" * shift + escape * 20_000 + b'"}'

    first, second = heads(line)

    assert first == second


@pytest.mark.parametrize(
    "line",
    [
        b"[1]",
        b"no json",
        b'{"body":' + b"[" * 3_000 + b"]" * 3_000 + b"}",
        b'{"a":1e400,"b":123456789012345678901234567890,"c":NaN}',
        b'{"a":1,"a":2,"body":{"deep":[1,{"x":"' + b"y" * 40_000 + b'"}]}}',
        b'{"model":"\xff","body":"' + b"\xe4\xb8\x96\xfe" * 9_000 + b'"}',
        b'{"\xff":1,"body":"' + b"\xc3" * 40_000 + b'"}',
    ],
)
def test_whatever_else_a_line_is_it_is_shown_alike(line: bytes) -> None:
    first, second = heads(line)

    assert first == second


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.sampled_from(["request", "\ud800", "m" * 2_000, "\u4e16" * 9_000, "2026-11-23T08:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(MEMBERS), VALUES), st.booleans())
def test_they_tell_the_labels_and_the_metadata_of_the_whole_line(
    record: dict[str, Any],
    damaged: bool,  # noqa: FBT001 - hypothesis passes it by name
) -> None:
    line = json.dumps(record).encode()
    content = content_in_memory(line.replace(b"m", b"\xff", 1) if damaged else line)

    told = [envelope_of(content), envelope_of_record(beginnings_of(content) or {})]

    first, second = ((labels_of(each, "p", "e", {}), metadata_of(each, "s", 0), each.meta) for each in told)
    assert first == second
