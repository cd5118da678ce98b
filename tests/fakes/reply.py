"""Answers as values: plain bytes, or steps that a server plays one by one.

A step is bytes to write, a pause, or a fault. Heads are part of the bytes, so that an answer can be as wrong
as a test wants it.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

import orjson

HeaderList = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Pause:
    """Write nothing for this long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Hang:
    """Write nothing until the other side goes away."""


@dataclass(frozen=True, slots=True)
class Reset:
    """End the connection with a TCP reset; bytes not yet sent are lost."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection orderly, whatever the framing still promised."""


@dataclass(frozen=True, slots=True)
class Down:
    """Reset all connections and refuse new ones for this long."""

    seconds: float


Step = bytes | Pause | Hang | Reset | Close | Down
Reply = bytes | Iterable[Step]

_date = (0, "")


def date_header() -> str:
    """Return the value of ``Date``, made once a second."""
    global _date  # noqa: PLW0603 - a cache of one value
    now = int(time.time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True))
    return _date[1]


def head(status: int, headers: HeaderList, reason: str | None = None) -> bytes:
    """Return a status line and headers, exactly those given."""
    if reason is None:
        reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {reason}\r\n{lines}\r\n".encode("latin-1")


def plain(status: int, body: bytes, content_type: str, extra: HeaderList = ()) -> bytes:
    """Return a whole answer with its length."""
    length = [] if status in (204, 304) else [("Content-Length", str(len(body)))]
    typed = [("Content-Type", content_type)] if content_type else []
    return head(status, [("Date", date_header()), *typed, *extra, *length]) + body


def json_answer(value: object, status: int = 200) -> bytes:
    """Return a whole answer in JSON."""
    return plain(status, orjson.dumps(value), "application/json")


def text_answer(text: str, status: int = 200) -> bytes:
    """Return a whole answer in plain text, as Go's ``http.Error`` writes it."""
    return plain(status, text.encode(), "text/plain; charset=utf-8")


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body; empty data would end it and gives no bytes."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: HeaderList = ()) -> bytes:
    """Return the end of a chunked body."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
    return f"0\r\n{lines}\r\n".encode("latin-1")
