"""Bodies, cut anywhere."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.message.framing import Chunked, Decoder, decoder_of
from proxy.wire.message.head import LARGEST_HEAD, Framing, MalformedError


def fed(decoder: Decoder, pieces: list[bytes]) -> bytes:
    """Return the body; what came after its end is ``decoder.rest`` and the pieces not fed."""
    body = b""
    for at, piece in enumerate(pieces):
        if decoder.done:
            decoder.rest += b"".join(pieces[at:])
            break
        body += decoder.feed(piece)
    return body


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({each % (len(data) + 1) for each in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


@given(
    st.lists(st.binary(min_size=1, max_size=20)),
    st.sampled_from([b"", b";a=b", b" ", b'\t;q="x"']),
    st.sampled_from([b"", b"X-T: 1\r\n", b"A: b\r\nC: d\r\n"]),
    st.binary(max_size=5),
    st.lists(st.integers(0, 1000), max_size=12),
)
def test_chunks_are_joined_wherever_they_are_cut(
    chunks: list[bytes], extension: bytes, trailers: bytes, after: bytes, places: list[int]
) -> None:
    framed = b"".join(b"%x%b\r\n%b\r\n" % (len(each), extension, each) for each in chunks)
    decoder = Chunked()
    body = fed(decoder, cut(framed + b"000" + extension + b"\r\n" + trailers + b"\r\n" + after, places))

    assert (body, decoder.done, decoder.rest) == (b"".join(chunks), True, after)


@given(st.binary(max_size=30), st.binary(max_size=5), st.lists(st.integers(0, 40), max_size=5))
def test_a_length_counts_wherever_it_is_cut(body: bytes, after: bytes, places: list[int]) -> None:
    decoder = decoder_of(Framing("length", len(body)))

    assert fed(decoder, cut(body + after, places)) == body
    assert (decoder.done, decoder.rest) == (True, after)


@pytest.mark.parametrize(
    "broken",
    [
        b"zz\r\n", b"\r\n", b"-1\r\n\r\n", b"+1\r\na\r\n", b"0x1\r\na\r\n", b" 1\r\na\r\n", b"1\na\r\n",
        b"1\r\nabc\r\n", b"1\r\na\n0\r\n\r\n", b"1\r\na0\r\n\r\n", b"1\r\na\r\r\n", b"1" * 16 + b"\r\n",
        b"1 x\r\na\r\n", b"1;\x00\r\na\r\n", b"1_0\r\n", b"1;" + b"x" * 5000,
    ],
)  # fmt: skip
def test_chunks_that_break_the_rules_are_refused_whole_or_byte_by_byte(broken: bytes) -> None:
    for pieces in ([broken], [broken[at : at + 1] for at in range(len(broken))]):
        decoder = Chunked()
        with pytest.raises(MalformedError):
            fed(decoder, pieces)


def test_trailers_are_bounded() -> None:
    decoder = Chunked()
    decoder.feed(b"0\r\n")
    pieces = [b"x" * 1000] * (1 + LARGEST_HEAD // 1000)
    with pytest.raises(MalformedError):
        fed(decoder, pieces)


def test_a_body_without_an_end_is_all_that_comes() -> None:
    decoder = decoder_of(Framing("close"))

    assert (decoder.feed(b"abc"), decoder.done) == (b"abc", False)
