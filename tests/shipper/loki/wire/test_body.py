"""What a Loki can do with its answers: the shipper's memory and time stay bounded."""

import gzip
import itertools
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from shipper.config import LokiSettings
from shipper.loki.connect import connect
from shipper.loki.push.client import LokiClient
from shipper.loki.push.push import Silence
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import AskAgainError, CannotAskError, Query, TooMuchError
from tests.fakes.reply import Pause, Reply
from tests.fakes.server import Fake
from tests.fakes.wire import Request
from tests.process import DEADLINE

QUERY = Query("{}", 0, 1, 100)
# Of one request, beside what the process takes: pushers make several at once.
MOST_BYTES = 96 << 20
BOMB = gzip.compress(bytes(64 << 20), 9)


class Scripted:
    """Answers each request alike, and keeps the heads."""

    def __init__(self, reply: Callable[[], Reply]) -> None:
        self._reply = reply
        self.requests: list[Request] = []

    def answer_early(self, request: Request) -> Reply | None:
        del request
        return None

    def answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._reply()


def packed(status: bytes = b"200 OK", coding: bytes = b"gzip") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (status, coding, len(BOMB))
    return head + BOMB


def endless(status: bytes = b"200 OK") -> Iterator[bytes]:
    yield b"HTTP/1.1 %s\r\nConnection: close\r\n\r\n" % status
    yield from itertools.repeat(b" " * 65_536, 16_384)


def dripping() -> Iterator[bytes | Pause]:
    yield b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
    for _ in range(1000):
        yield b"."
        yield Pause(0.05)


def tiny_rows() -> bytes:
    rows = b",".join([b'["1",""]'] * 2_000_000)
    body = b'{"data":{"result":[{"stream":{},"values":[%s]}]}}' % rows
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@contextmanager
def loki_answering(
    reply: Callable[[], Reply], timeout: float = DEADLINE
) -> Iterator[tuple[LokiSettings, Scripted]]:
    app = Scripted(reply)
    with Fake(app) as server:
        yield LokiSettings(url=f"{server.url}/loki/api/v1/push", timeout=timeout), app


@contextmanager
def bounded() -> Iterator[None]:
    """Hold what is allocated meanwhile below the bound."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()


def test_answers_are_asked_for_without_a_coding() -> None:
    with loki_answering(lambda: b"HTTP/1.1 204 No Content\r\n\r\n") as (loki, app), connect(loki) as http:
        LokiClient(http, loki.url).push({}, b"{}")

        assert app.requests[0].fields[b"accept-encoding"] == b"identity"


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate, gzip", b"x\x1b]52"])
def test_what_comes_packed_is_not_unpacked(coding: bytes) -> None:
    with (
        loki_answering(lambda: packed(coding=coding)) as (loki, _),
        connect(loki) as http,
        bounded(),
        pytest.raises(CannotAskError, match="packed as"),
    ):
        LokiReader(http, loki.url).ask(QUERY)


def test_the_status_of_a_packed_answer_is_the_fate_of_a_push() -> None:
    with (
        loki_answering(lambda: packed(b"429 Too Many Requests")) as (loki, _),
        connect(loki) as http,
        bounded(),
    ):
        answer = LokiClient(http, loki.url).push({}, b"{}")

    assert (answer.status, answer.text) == (429, "(packed as gzip)")


def test_a_query_reads_a_bounded_part_of_an_answer_without_an_end() -> None:
    with (
        loki_answering(endless) as (loki, _),
        connect(loki) as http,
        bounded(),
        pytest.raises(TooMuchError, match="longer than"),
    ):
        LokiReader(http, loki.url).ask(QUERY)


def test_a_push_reads_the_beginning_of_an_answer_without_an_end() -> None:
    with loki_answering(lambda: endless(b"400 Bad Request")) as (loki, _), connect(loki) as http, bounded():
        answer = LokiClient(http, loki.url).push({}, b"{}")

    assert answer.status == 400


def test_a_token_that_is_refused_and_replaced_reads_no_answer_without_an_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    with loki_answering(lambda: endless(b"401 Unauthorized")) as (loki, app), bounded():
        http = connect(replace(loki, auth_token_file=str(file)))
        file.write_text("new")
        answer = LokiClient(http, loki.url).push({}, b"{}")
        http.close()

    assert answer.silence is Silence.BROKEN
    assert len(app.requests) == 1


def test_an_answer_of_more_strings_than_rows_were_asked_for_is_not_decoded() -> None:
    answer = tiny_rows()
    with (
        loki_answering(lambda: answer) as (loki, _),
        connect(loki) as http,
        bounded(),
        pytest.raises(TooMuchError, match="strings"),
    ):
        LokiReader(http, loki.url).ask(QUERY)


def test_an_answer_that_comes_byte_by_byte_is_given_up_after_the_timeout() -> None:
    with loki_answering(dripping, timeout=0.3) as (loki, _), connect(loki) as http:
        began = time.monotonic()
        assert LokiClient(http, loki.url).push({}, b"{}").silence is Silence.TIMEOUT
        with pytest.raises(AskAgainError):
            LokiReader(http, loki.url, answer_seconds=0.3).ask(QUERY)
        assert time.monotonic() - began < DEADLINE
