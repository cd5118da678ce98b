"""Heads, byte for byte: what is read as what, and what is refused."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.message.head import (
    LARGEST_HEAD,
    Framing,
    MalformedError,
    RequestHead,
    coding_of,
    end_of_answer_head,
    end_of_request_head,
    parse_answer,
    parse_request,
)


def request(*lines: bytes, first: bytes = b"POST /x HTTP/1.1", host: bytes = b"Host: h\r\n") -> RequestHead:
    return parse_request(first + b"\r\n" + host + b"".join(line + b"\r\n" for line in lines) + b"\r\n")


@pytest.mark.parametrize(
    ("first", "target"),
    [
        (b"GET / HTTP/1.1", b"/"),
        (b"M-SEARCH /a/../b%2F?q=%20&x=#f HTTP/1.1", b"/a/../b%2F?q=%20&x=#f"),
        ("POST /v1/mod\u00e9le/\u4f60 HTTP/1.1".encode(), "/v1/mod\u00e9le/\u4f60".encode()),
        (b"POST http://h:1/anthropic/x?y HTTP/1.1", b"/anthropic/x?y"),
        (b"POST HTTPS://u@h HTTP/1.1", b"/"),
        (b"GET http://h?a=b HTTP/1.1", b"/?a=b"),
        (b"OPTIONS * HTTP/1.1", b"*"),
    ],
)
def test_a_target_stays_as_it_was_and_one_in_absolute_form_loses_its_authority(
    first: bytes, target: bytes
) -> None:
    assert request(first=first).target == target


def test_the_authority_of_an_absolute_target_replaces_host() -> None:
    head = request(first=b"GET http://u:p@evil.example:8/x HTTP/1.1")

    assert head.headers == [(b"Host", b"evil.example:8")]


def test_names_order_and_repeats_stay_and_only_outer_space_goes() -> None:
    head = request(b"X-Api:  a  b \t", b"x-api:", b"X-L: caf\xe9\x80")

    assert head.headers == [(b"Host", b"h"), (b"X-Api", b"a  b"), (b"x-api", b""), (b"X-L", b"caf\xe9\x80")]


@pytest.mark.parametrize(
    ("lines", "framing", "length"),
    [
        ([], Framing("none"), None),
        ([b"Content-Length: 5"], Framing("length", 5), b"5"),
        ([b"Content-Length: 5", b"content-length: 5"], Framing("length", 5), b"5"),
        ([b"Content-Length: 5, 5"], Framing("length", 5), b"5"),
        ([b"Transfer-Encoding: chunked"], Framing("chunked"), None),
        ([b"Transfer-Encoding: gzip, Chunked"], Framing("chunked"), None),
        ([b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked"], Framing("chunked"), None),
    ],
)
def test_the_framing_is_told_and_of_equal_lengths_one_is_left(
    lines: list[bytes], framing: Framing, length: bytes | None
) -> None:
    head = request(*lines)
    lengths = [value for name, value in head.headers if name.lower() == b"content-length"]

    assert head.framing == framing
    assert lengths == ([length] if length else [])


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"CONNECT /anthropic/api.anthropic.com/v1/messages HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"CONNECT api.anthropic.com:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),
        (b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        (b"GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505),
        (b"GET /\r\nHost: a\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\tx HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\nY: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rY: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: \x1b[2J\r\n\r\n", 400),
    ]
    + [
        (b"POST / HTTP/1.1\r\nHost: a\r\n" + line + b"\r\n\r\n", status)
        for line, status in [
            (b"Content-Length: 5\r\nContent-Length: 6", 400),
            (b"Content-Length: 5, 6", 400),
            (b"Content-Length: +5", 400),
            (b"Content-Length: -1", 400),
            (b"Content-Length: 0x5", 400),
            (b"Content-Length: 5_0", 400),
            (b"Content-Length:", 400),
            (b"Content-Length: 1" + b"0" * 18, 400),
            (b"Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
            (b"Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
            (b"Transfer-Encoding: chunked, chunked", 400),
            (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
            (b"Transfer-Encoding: chunked, gzip", 400),
            (b"Transfer-Encoding: gzip", 400),
            (b"Transfer-Encoding: identity", 400),
            (b"Transfer-Encoding: xchunked", 400),
            (b"Transfer-Encoding: chunked;q=1", 400),
            (b"Transfer-Encoding: \x0bchunked", 400),
            (b"Transfer-Encoding:", 400),
            (b"Transfer-Encoding: other, chunked", 501),
        ]
    ],
)
def test_a_request_that_two_readers_could_take_differently_is_refused(raw: bytes, status: int) -> None:
    with pytest.raises(MalformedError) as refused:
        parse_request(raw)

    assert refused.value.status == status


def test_256_fields_are_read_and_one_more_is_refused() -> None:
    assert len(request(*[b"a:"] * 255).headers) == 256
    with pytest.raises(MalformedError) as refused:
        request(*[b"a:"] * 256)

    assert refused.value.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_256_kib_are_read_and_one_byte_more_is_refused_with_or_without_an_end() -> None:
    beginning = b"GET / HTTP/1.1\r\nHost: h\r\nX: "
    filled = beginning + b"x" * (LARGEST_HEAD - len(beginning) - 4)

    assert end_of_request_head(filled + b"\r\n\r\n") == LARGEST_HEAD
    for too_large in (filled + b"x\r\n\r\n", filled + b"x" * 5):
        with pytest.raises(MalformedError) as refused:
            end_of_request_head(too_large)
        assert refused.value.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@pytest.mark.parametrize(
    "begun",
    [b"\x16\x03\x01\x02", b"GET / HTTP/1.1\nHost: a\n\n", b"hello", b"GET / HTTP/1.1\r\nX: \x00", b"{"],
)
def test_what_cannot_become_a_request_is_refused_before_its_end(begun: bytes) -> None:
    with pytest.raises(MalformedError):
        end_of_request_head(begun)


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_request_is_waited_for_wherever_it_is_cut(cut: int) -> None:
    whole = b"POST /x HTTP/1.1\r\nHost: h\r\nX: y\tz\r\n\r\nbody"

    end = len(whole) - len(b"body")
    assert end_of_request_head(whole[:cut]) == (end if cut >= end else 0)
    assert end_of_request_head(whole, min(cut, end) - 1) == end


@given(st.binary(max_size=300), st.sampled_from([b"", b"GET / HTTP/1.1\r\nHost: h\r\n"]))
def test_whatever_comes_is_read_or_refused(data: bytes, before: bytes) -> None:
    raw = before + data + b"\r\n\r\n"
    try:
        end = end_of_request_head(raw)
        head = parse_request(raw[:end])
    except MalformedError:
        return
    assert all(b"\r" not in value and b"\n" not in value and b"\0" not in value for _, value in head.headers)


LENGTH = (b"Content-Length", b"2")
KEEP, CLOSE = (b"Connection", b"Keep-Alive"), (b"Connection", b"close")


@pytest.mark.parametrize(
    ("raw", "status", "reason", "headers", "body", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", 200, b"OK", [LENGTH], "length", True),
        (b"HTTP/1.1 200\r\nA: b\r\n", 200, b"", [(b"A", b"b")], "close", True),
        (b"HTTP/1.1 200 \r\nA : b\r\nC\t: d\r\n", 200, b"", [(b"A", b"b"), (b"C", b"d")], "close", True),
        (b"HTTP/1.0 404 Nicht da\r\n", 404, b"Nicht da", [], "close", False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", 200, b"OK", [KEEP], "close", True),
        (b"HTTP/1.1 200 OK\nA: b\n", 200, b"OK", [(b"A", b"b")], "close", True),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n", 200, b"OK", [(b"A", b"b c")], "close", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n", 200, b"OK", [LENGTH], "length", True),
        (b"HTTP/1.1 999 \xe9\r\nConnection: close\r\n", 999, b"\xe9", [CLOSE], "close", False),
    ],
)  # fmt: skip
def test_an_answer_is_read(
    raw: bytes, status: int, reason: bytes, headers: list[tuple[bytes, bytes]], body: str, *, keeps: bool
) -> None:
    whole = raw + (b"\r\n" if b"\r" in raw else b"\n")
    head = parse_answer(whole[: end_of_answer_head(whole)])

    assert (head.status, head.reason, head.headers) == (status, reason, headers)
    assert (head.framing.body, head.keep_alive) == (body, keeps)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 000 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 1000 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x1b[2Jb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a:\r\n" * 257 + b"\r\n",
    ],
)
def test_an_answer_that_breaks_the_rules_is_none(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_answer(raw)


def test_an_answer_s_head_is_bounded() -> None:
    with pytest.raises(MalformedError):
        end_of_answer_head(b"HTTP/1.1 200 OK\r\n" + b"x" * LARGEST_HEAD)


def test_the_codings_of_a_body_in_chunks_go_on() -> None:
    assert coding_of([(b"Transfer-Encoding", b"gzip, chunked")]) == b"gzip, chunked"
    assert coding_of([]) == b"chunked"
