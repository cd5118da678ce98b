"""Bodies on their way into a record: hashed, unpacked, split into texts, encoded once.

A draft takes pieces as they come; past its own bound of memory, or that of all drafts, it goes on in a spool,
which the caller makes.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from typing import Protocol

import orjson

from groundwork.utf8 import NotTextError, is_text, quote
from proxy.content.decoding import DecodeError, Decoder, TextSplitter, decoder_for
from proxy.content.redact.patterns import Mask
from proxy.content.streams.thin import Thinner
from proxy.record.chunk import Pieces
from proxy.record.record import Bulk, OmitReason, Omitted
from proxy.recording.memory import Memory

# A body up to here is kept in memory and parsed; the largest requests of coding agents are about 4 MB.
PARSED = 4 << 20
# A text up to here is told by what is new in it: agents that send 800 turns reach 6 MB.
TOLD = 8 << 20
_PIECE = 64 << 10  # what is encoded at once of a text that is not parsed
# Unpacking goes in slices, so that a small body that unpacks to gigabytes is noticed in time.
_SLICE = 16 << 10
_BASE64_STEP = 3 << 16  # whole groups of three bytes, so that encoded slices join


class Sink(Protocol):
    """Reads a body for what it tells; a short one at its end, a long one as it arrives."""

    def feed(self, piece: bytes) -> None:
        """Take what comes next, unpacked."""
        ...


class Spool(Protocol):
    """Bytes put aside; gone with the process."""

    def write(self, data: bytes) -> None:
        """Append. Raises ``OSError``."""
        ...

    def read(self) -> Iterator[bytes]:
        """Return all bytes from the beginning, in pieces."""
        ...

    def close(self) -> None:
        """Give the space back."""
        ...


OpenSpool = Callable[[], Spool]


class BodyDraft:
    """A body that is logged whole; one that is ``omitted`` is still read, by the ``sink``."""

    def __init__(
        self,
        content_encoding: str,
        open_spool: OpenSpool,
        omitted: OmitReason | None = None,
        sink: Sink | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._content_encoding = content_encoding
        self._open_spool = open_spool
        self._pieces: list[bytes] = []
        self._size = 0
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._spool: Spool | None = None
        self._share = (memory or Memory()).share()
        self._is_long = False
        self._omitted = omitted
        self._sink = sink
        self._unpacker: Unpacker | None = None

    @property
    def sha256(self) -> str:
        """The hash of the bytes on the wire, hexadecimal; made when it is first asked for."""
        self._hash()
        return self._digest.hexdigest()

    def _hash(self) -> None:
        for piece in self._pieces[self._hashed :]:
            self._digest.update(piece)
        self._hashed = len(self._pieces)

    def feed(self, pieces: Pieces) -> None:
        """Take what arrived next."""
        self._size += pieces.size
        self._keep(pieces.data)

    def _keep(self, data: Sequence[bytes]) -> None:
        if self._size <= PARSED and self._spool is None and self._share.grow(self._size):
            self._pieces.extend(data)
            return
        if not self._is_long and (self._size > PARSED or self._omitted is not None):
            self._be_long()
        if self._is_long:
            self._show(data)
        kept = self._let_go()
        for piece in data:
            self._digest.update(piece)
        if self._omitted is None:
            self._put_aside(kept, data)

    def _be_long(self) -> None:
        """Have the sink read the body as it comes from here on: it will not be parsed whole."""
        self._is_long = True
        self._show(self._raw())

    def _put_aside(self, kept: Sequence[bytes], data: Sequence[bytes]) -> None:
        try:
            if self._spool is None:
                self._spool = self._open_spool()
                data = [*kept, *data]
            for piece in data:
                self._spool.write(piece)
        except OSError:
            if not self._is_long:
                self._is_long = True
                self._show(data)
            self._omit("spool_failed")

    def _show(self, data: Iterable[bytes]) -> None:
        """Have the sink read a body that is too long to be kept."""
        if self._sink is None:
            return
        if self._unpacker is None:
            self._unpacker = Unpacker(self._content_encoding)
        for piece in data:
            for unpacked in self._unpacker.feed(piece):
                self._sink.feed(unpacked)

    def show(self, whole: bytes | None) -> None:
        """Have the sink read what it has not read; ``whole`` is what ``whole()`` said."""
        if self._sink is not None and whole is not None:
            self._sink.feed(whole)
        elif not self._is_long:
            self._show(self._raw())

    def _let_go(self) -> list[bytes]:
        """Keep nothing in memory any more; return what was kept."""
        self._hash()
        kept, self._pieces, self._hashed = self._pieces, [], 0
        self._share.release()
        return kept

    def _omit(self, reason: OmitReason) -> Omitted:
        self._omitted = reason
        self._let_go()
        self._close_spool()
        return Omitted(self._size, self.sha256, reason)

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def whole(self) -> bytes | None:
        """Return the unpacked body, or None where it is too large to be parsed or cannot be unpacked."""
        if self._is_long:
            return None
        body = b"".join(self._raw())
        if not self._content_encoding:
            return body
        unpacked = bytearray()
        try:
            for piece in _unpack([body], self._content_encoding):
                unpacked += piece
                if len(unpacked) > 4 * PARSED:
                    return None
        except DecodeError:
            return None
        return bytes(unpacked)

    def finish(self, whole: bytes | None, mask: Mask | None) -> tuple[Bulk | Omitted, int]:
        """Return the body for the record and how often it was masked; ``whole`` is what ``whole()`` said."""
        if self._omitted is not None:
            return Omitted(self._size, self.sha256, self._omitted), 0
        if whole is not None:
            with suppress(NotTextError):
                return self._text(whole, mask)
        if mask is not None:
            return self._omit("unmasked"), 0
        if whole is None and _is_text(self._raw(), self._content_encoding):
            if self._spool is not None and self._size <= TOLD and not self._content_encoding:
                text = b"".join(self._raw())
                return Bulk("body", self._encoded(_text_of(_sliced(text))), text=text, sha256=self.sha256), 0
            return Bulk("body", self._encoded(_text_of(_unpack(self._raw(), self._content_encoding)))), 0
        return Bulk("body", self._encoded(_base64_of(self._raw())), base64=True), 0

    def _text(self, whole: bytes, mask: Mask | None) -> tuple[Bulk, int]:
        """Return a text for the record, and how often it was masked. Raises ``NotTextError``."""
        if not is_text(whole):
            raise NotTextError
        self._close_spool()
        text, hits = whole, 0
        if mask is not None:
            masked, hits = mask(whole.decode())
            text = masked.encode() if hits else whole
        sha256 = "" if hits or self._content_encoding else self.sha256
        return Bulk("body", map(quote, (text,)), text=text, sha256=sha256), hits

    def _raw(self) -> Iterable[bytes]:
        return self._pieces if self._spool is None else self._spool.read()

    def _encoded(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        with closing(self._spool) if self._spool else nullcontext():
            yield b'"'
            yield from pieces
            yield b'"'


class RequestDraft(BodyDraft):
    """The body of a request."""

    def __init__(
        self,
        content_encoding: str,
        open_spool: OpenSpool,
        omitted: OmitReason | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._thinner = Thinner()
        super().__init__(content_encoding, open_spool, omitted, self._thinner, memory)

    def thinned(self) -> bytes:
        """Return what was kept of a body that ``whole()`` does not return: JSON without its long texts."""
        self.show(None)
        return self._thinner.finish()


class Unpacker:
    """Undoes a content coding as far as it can be undone."""

    def __init__(self, content_encoding: str) -> None:
        self._coding = content_encoding
        self._decoder: Decoder | None = None
        self._begun = self._broken = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Yield what a piece unpacks to; nothing once something could not be unpacked."""
        if self._broken:
            return
        try:
            if not self._begun:
                self._decoder, self._begun = decoder_for(self._coding), True
            if self._decoder is None:
                yield piece
                return
            for start in range(0, len(piece), _SLICE):
                yield self._decoder.feed(piece[start : start + _SLICE])
        except DecodeError:
            self._broken = True


def _unpack(pieces: Iterable[bytes], content_encoding: str) -> Iterator[bytes]:
    decoder = decoder_for(content_encoding)
    for piece in pieces:
        if decoder is None:
            yield piece
            continue
        for start in range(0, len(piece), _SLICE):
            yield decoder.feed(piece[start : start + _SLICE])


def _sliced(text: bytes) -> Iterator[bytes]:
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def _is_text(pieces: Iterable[bytes], content_encoding: str) -> bool:
    splitter = TextSplitter()
    try:
        whole = all(isinstance(splitter.feed(piece), str) for piece in _unpack(pieces, content_encoding))
    except DecodeError:
        return False
    return whole and not splitter.finish()


def _text_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    splitter = TextSplitter()
    for piece in pieces:
        yield orjson.dumps(splitter.feed(piece))[1:-1]


def _base64_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = b""
    for piece in pieces:
        held += piece
        whole = len(held) - len(held) % _BASE64_STEP
        yield b64encode(held[:whole])
        held = held[whole:]
    yield b64encode(held)
