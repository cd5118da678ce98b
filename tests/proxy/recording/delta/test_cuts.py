from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.recording.delta.cuts import LONG_STRING, LONGEST_BETWEEN, LONGEST_STRING, cuts

LONG = b'"' + b"x" * LONG_STRING + b'"'


def pieces(text: bytes) -> list[bytes]:
    places = [0, *cuts(text, 0, len(text)), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


@pytest.mark.parametrize(
    "expected",
    [
        [b'{"a":', LONG, b"}"],
        [b'{"role":"user","content":', LONG, b',"name":"me"}'],
        [LONG],
        [b"[", LONG, b",", LONG, b"]"],
        [rb'{"a":"short \" ","b":', LONG, b"}"],
        [b"{", rb'"ends in a backslash: \\' + b"y" * LONG_STRING + rb'\\"', b":1}"],
        [b"{", rb'"' + rb"\"" * LONG_STRING + rb'"', b"}"],
        [b'{"a":', LONG[:-1]],
        [b"no json, and short"],
        [b'"' + b"x" * (LONGEST_STRING - 1), b'x"'],
        [b"x" * LONGEST_BETWEEN, b"x" * 9],
        [b"[" + b'{"short":1},' * (LONGEST_BETWEEN // 24), b'{"a":1},' * 40],
    ],
)
def test_long_strings_are_pieces_with_their_quotes(expected: list[bytes]) -> None:
    assert pieces(b"".join(expected)) == expected


def test_escapes_across_what_is_searched_at_once_are_no_quotes() -> None:
    for shift in range(4):
        text = b'["' + b"x" * shift + rb"\"" * 170_000 + b'",' + LONG + b"]"

        assert pieces(text)[-2:] == [LONG, b"]"]


def test_a_string_that_grows_keeps_its_pieces() -> None:
    before, after = b'["' + b"x" * 50_000 + b'"]', b'["' + b"x" * 90_000 + b'"]'

    assert pieces(after)[:12] == pieces(before)[:12]


@given(st.text(min_size=1) | st.text('"\\aé🙂', min_size=LONG_STRING), st.integers(1, 200))
def test_pieces_are_text_of_bounded_size_and_join_to_the_whole(text: str, times: int) -> None:
    data = (text * times).encode()
    found = pieces(data)

    assert b"".join(found) == data
    assert all(0 < len(piece) <= LONGEST_STRING for piece in found)
    assert all(piece.decode() for piece in found)
