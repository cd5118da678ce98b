"""Requests read from bytes, however the network cut them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.wire import MalformedRequestError, Request, RequestReader

PLAIN = (
    b"POST /a%2Fb/../c?q=%7E&q= HTTP/1.1\r\nHost: x\r\nX-Same: 1\r\nx-same:2\r\nContent-Length: 4\r\n\r\nbody"
)
CHUNKED = (
    b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;ext=1\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n"
)
BARE = b"HEAD / HTTP/1.1\r\n\r\n"


def read(pieces: list[bytes]) -> list[Request]:
    reader = RequestReader()
    found: list[Request] = []
    for piece in pieces:
        reader.feed(piece)
        found += reader.requests()
    return found


@given(st.lists(st.sampled_from([PLAIN, CHUNKED, BARE]), max_size=4), st.data())
def test_the_same_requests_come_out_however_the_bytes_are_cut(
    requests: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(pieces) == [read([each])[0] for each in requests]


def test_nothing_of_the_head_is_changed() -> None:
    (request,) = read([PLAIN])
    assert request.line == b"POST /a%2Fb/../c?q=%7E&q= HTTP/1.1"
    assert request.headers == [
        (b"Host", b"x"),
        (b"X-Same", b"1"),
        (b"x-same", b"2"),
        (b"Content-Length", b"4"),
    ]
    assert (request.path, request.query, request.body) == ("/a%2Fb/../c", "q=%7E&q=", b"body")


def test_chunks_are_joined_and_trailers_kept() -> None:
    (request,) = read([CHUNKED])
    assert request.body == b"hello 0123456789"
    assert request.trailers == [(b"X-Trailer", b"t")]


def test_the_head_can_be_seen_before_the_body() -> None:
    reader = RequestReader()
    reader.feed(PLAIN[:-2])
    assert list(reader.requests()) == []
    assert reader.pending is not None
    assert reader.pending.method == b"POST"


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_request_is_told(data: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        read([data])
