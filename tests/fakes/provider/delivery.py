"""From an answer and an order to the bytes, pauses and faults that go over the wire."""

import base64
import zlib
from collections.abc import Callable, Iterator

import brotli
import zstandard

from tests.fakes.provider.answer import Answer
from tests.fakes.provider.order import Order
from tests.fakes.reply import (
    Close,
    Hang,
    Pause,
    Reply,
    Reset,
    Step,
    chunk,
    date_header,
    head,
    last_chunk,
    plain,
)

_BODILESS = (204, 304)
_EVENT_STREAM = "text/event-stream; charset=utf-8"


class Encoder:
    """Compresses piece by piece, so that each can be read when it arrives."""

    def __init__(self, name: str) -> None:
        self._compress, self._flush, self._end = _CODERS[name]()

    def piece(self, data: bytes) -> bytes:
        """Return all bytes that a reader needs for this piece."""
        return self._compress(data) + self._flush()

    def end(self) -> bytes:
        """Return the end of the stream."""
        return self._end()


_Coder = tuple[Callable[[bytes], bytes], Callable[[], bytes], Callable[[], bytes]]


def _zlib(wbits: int) -> _Coder:
    coder = zlib.compressobj(6, zlib.DEFLATED, wbits)
    return coder.compress, lambda: coder.flush(zlib.Z_SYNC_FLUSH), coder.flush


def _brotli() -> _Coder:
    coder = brotli.Compressor(quality=4)
    return coder.process, coder.flush, coder.finish


def _zstd() -> _Coder:
    coder = zstandard.ZstdCompressor().compressobj()
    return coder.compress, lambda: coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), coder.flush


_CODERS: dict[str, Callable[[], _Coder]] = {
    "gzip": lambda: _zlib(31),
    "deflate": lambda: _zlib(15),
    "br": _brotli,
    "zstd": _zstd,
}


def deliver(answer: Answer, order: Order, *, accept: str, head_only: bool) -> Reply:
    """Return the reply; ``accept`` is the request's Accept-Encoding."""
    own = _own_body(order)
    streamed = answer.events is not None and order.status < 400
    pieces = [own] if own is not None else list(answer.events or [answer.whole])
    kind = _EVENT_STREAM if streamed else "application/json"
    if order.status in _BODILESS:
        pieces, streamed = [], False
    encoding = _encoding(order, accept)
    if order.pings:
        pieces = [part for piece in pieces for part in (piece, answer.ping)]
    if order.fault == "error":
        pieces = [*pieces[: max(0, order.after)], answer.error]
    if encoding and pieces:
        pieces = _encoded(pieces, encoding)
    if order.write_size:
        pieces = _resized(pieces, order.write_size)
    framing: str = order.framing or ("chunked" if streamed or order.trailers else "length")
    extra = [*_encoding_header(encoding), *answer.headers, *order.headers]
    if order.status in _BODILESS:
        framing, kind = "none", ""
    opening = head(order.status, _headers(order, kind, extra, framing, pieces), order.reason)
    opening = b"".join(head(status, []) for status in order.informational) + opening
    return _steps(order, opening, [] if head_only else pieces, "none" if head_only else framing)


def quick(answer: Answer) -> bytes:
    """Return a plain good answer that nothing was ordered of."""
    return plain(200, answer.whole, "application/json", answer.headers)


def _own_body(order: Order) -> bytes | None:
    if order.body_base64 is not None:
        return base64.b64decode(order.body_base64)
    return None if order.body is None else order.body.encode()


def _encoding(order: Order, accept: str) -> str:
    if order.encoding == "auto":
        accepted = {each.partition(";")[0].strip() for each in accept.split(",")}
        return next((name for name in ("gzip", "br", "zstd", "deflate") if name in accepted), "")
    return order.encoding or ""


def _encoding_header(encoding: str) -> list[tuple[str, str]]:
    return [("Content-Encoding", encoding)] if encoding else []


def _encoded(pieces: list[bytes], encoding: str) -> list[bytes]:
    encoder = Encoder(encoding)
    return [*map(encoder.piece, pieces), encoder.end()]


def _resized(pieces: list[bytes], size: int) -> list[bytes]:
    joined = b"".join(pieces)
    return [joined[start : start + size] for start in range(0, len(joined), size)]


def _headers(
    order: Order, kind: str, extra: list[tuple[str, str]], framing: str, pieces: list[bytes]
) -> Iterator[tuple[str, str]]:
    replaced = {name.lower() for name, _ in order.headers}
    if "date" not in replaced:
        yield "Date", date_header()
    if kind and "content-type" not in replaced:
        yield "Content-Type", kind
    yield from extra
    if framing == "length":
        yield "Content-Length", str(sum(map(len, pieces)))
    elif framing == "chunked":
        yield "Transfer-Encoding", "chunked"
    elif framing == "close":
        yield "Connection", "close"


def _steps(order: Order, opening: bytes, pieces: list[bytes], framing: str) -> Iterator[Step]:
    if order.delay:
        yield Pause(order.delay)
    if order.fault and order.after < 0:
        yield from _fault(order)
        return
    yield opening
    for number, piece in enumerate(pieces):
        if order.fault != "error" and order.fault and number == order.after:
            yield from _fault(order)
            return
        if order.pause:
            yield Pause(order.pause)
        yield chunk(piece) if framing == "chunked" else piece
    if order.linger:
        yield Pause(order.linger)
    if order.fault and order.fault != "error" and framing != "none":
        yield from _fault(order)
    elif framing == "chunked":
        yield last_chunk(order.trailers)
    elif framing == "close":
        yield Close()


def _fault(order: Order) -> Iterator[Step]:
    ends: dict[str, Step] = {"reset": Reset(), "hang": Hang()}
    yield ends.get(order.fault, Close())
