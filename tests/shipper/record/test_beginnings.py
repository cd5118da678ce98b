"""That a head made of beginnings is the head made of the whole line."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.beginnings import beginnings_of
from shipper.record.content import content_in_memory
from shipper.record.ends import record_of
from shipper.record.head import head_of

SPLIT = {"id": "0", "bytes": 1, "sha256": "0", "parts": 1}
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
    ],
)
def test_whatever_else_a_line_is_it_is_shown_alike(line: bytes) -> None:
    first, second = heads(line)

    assert first == second
