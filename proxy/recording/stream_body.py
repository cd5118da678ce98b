"""A response's body on its way into a record: read as it arrives; a stream is encoded chunk by chunk."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat

from proxy.content.answer import AnswerReader, MessagesReader, read_body
from proxy.content.decoding import DecodeError, Decoder, TextSplitter, decoder_for
from proxy.content.dialects.bedrock import count_headers
from proxy.content.dialects.dialect import Answer, ToolCall
from proxy.content.redact.patterns import Mask
from proxy.content.streams.masking import Piece, joined, mask_body, mask_chunks, mask_messages
from proxy.record.chunk import Direction, Pieces, encode_chunk
from proxy.record.record import Bulk, OmitReason, Omitted
from proxy.recording.body import PARSED, BodyDraft, OpenSpool, Spool
from proxy.recording.memory import Memory
from proxy.wire.headers import first
from proxy.wire.routing import RawHeaders

# These come in pieces that mean something by their time; all else is logged as one body.
_STREAMS = (
    "text/event-stream",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/stream+json",
    "application/vnd.amazon.eventstream",
)
# Encoded chunks are kept in memory up to here.
_ENCODED = 8 << 20
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class _Chunk:
    ts: int
    delta_ms: int
    raw: Piece
    direction: Direction | None = None


class ChunksDraft:
    """The body of a stream; one that is ``omitted`` is still read for what it tells, by ``reader``.

    With a ``mask`` the chunks are held until the end, as what is to be masked may span them.
    """

    _search = staticmethod(mask_chunks)

    def __init__(
        self,
        content_encoding: str,
        open_spool: OpenSpool,
        omitted: OmitReason | None,
        mask: Mask | None,
        reader: AnswerReader | MessagesReader,
        *,
        memory: Memory | None = None,
    ) -> None:
        self._open_spool = open_spool
        self._share = (memory or Memory()).share()
        self._omitted = omitted
        self._mask = mask
        self._decoder, self._readable = _decoder(content_encoding)
        self._splitter = TextSplitter()
        self._reader = reader
        self.masked: bytes | None = None
        """What the finished stream reads where something in it was masked."""
        self._digest = hashlib.sha256()
        self._hashed = 0
        self._size = 0
        self._encoded = bytearray()
        self._spool: Spool | None = None
        self._held: list[_Chunk] = []
        self._last = (0, 0)
        self._direction: Direction | None = None

    def feed(self, pieces: Pieces, wall: int, started: int) -> None:
        """Take what arrived next; ``wall`` is the wall clock (ns) at ``started`` of the monotonic clock."""
        directions = pieces.directions or repeat(None)
        for piece, time, direction in zip(pieces.data, pieces.times, directions, strict=False):
            self._direction = direction
            self._last = wall + time - started, (time - started) // _MS
            if self._omitted is not None:
                self._digest.update(piece)
                self._hashed += len(piece)
            self._read(piece)
        self._size += pieces.size
        if self._omitted is None:
            self._bound()

    def _read(self, piece: bytes) -> None:
        if not self._readable:
            self._add(piece)
            return
        if self._decoder is not None:
            try:
                piece = self._decoder.feed(piece)
            except DecodeError:
                self._readable = False
                self._add(piece)
                return
        self._reader.feed(piece)
        raw = self._splitter.feed(piece)
        if raw:
            self._add(raw)

    def _add(self, raw: Piece) -> None:
        if self._omitted is not None:
            return
        ts, delta_ms = self._last
        if self._mask is not None:
            self._held.append(_Chunk(ts, delta_ms, raw, self._direction))
            if self._size > PARSED:
                self._omit("unmasked")
            return
        if self._encoded or self._spool is not None:
            self._encoded += b","
        self._encoded += encode_chunk(ts, delta_ms, raw, self._direction)

    def _bound(self) -> None:
        """Put chunks aside that are too many; those that wait to be masked can only be let go."""
        if self._mask is not None:
            if not self._share.grow(self._size):
                self._omit("unmasked")
        elif len(self._encoded) > _ENCODED or not self._share.grow(len(self._encoded)):
            self._put_aside()

    def _put_aside(self) -> None:
        try:
            if self._spool is None:
                self._spool = self._open_spool()
            self._spool.write(bytes(self._encoded))
        except OSError:
            self._omit("spool_failed")
        self._encoded = bytearray()
        self._share.release()

    def _omit(self, reason: OmitReason) -> None:
        self._omitted = reason
        self._encoded, self._held = bytearray(), []
        self._share.release()
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def answer(self) -> Answer:
        """Return what the stream told, when it has ended."""
        return self._reader.finish()

    def finish(self) -> tuple[Bulk | Omitted, int]:
        """Return the chunks for the record, and how often they were masked."""
        rest = self._splitter.finish()
        if rest:
            self._add(rest)
        hits = self._encode_masked(self._mask) if self._mask is not None else 0
        if self._omitted is not None:
            sha256 = self._digest.hexdigest() if self._hashed == self._size else ""
            return Omitted(self._size, sha256, self._omitted), 0
        return Bulk("chunks", self._pieces()), hits

    def _encode_masked(self, mask: Mask) -> int:
        found = self._search([each.raw for each in self._held], mask)
        if found is None:
            self._omit("unmasked")
            return 0
        masked, hits = found
        self.masked = self._joined(masked) if hits else None
        as_it_came = hits == 0 and all(isinstance(each, str) for each in masked)
        chunks = self._held if as_it_came else _spread(masked, self._held)
        self._encoded += b",".join(
            encode_chunk(each.ts, each.delta_ms, each.raw, each.direction) for each in chunks
        )
        return hits

    def _joined(self, masked: list[Piece]) -> bytes:
        return joined(masked)

    def _pieces(self) -> Iterator[bytes]:
        yield b"["
        if self._spool is not None:
            with closing(self._spool):
                yield from self._spool.read()
        yield bytes(self._encoded)
        yield b"]"


class MessagesDraft(ChunksDraft):
    """The messages of a WebSocket, of both sides; the server's are read for what they tell."""

    _search = staticmethod(mask_messages)

    def _read(self, piece: bytes) -> None:
        if self._direction == "server":
            self._reader.feed(piece)
        try:
            self._add(piece.decode())
        except UnicodeDecodeError:
            self._add(piece)

    def _joined(self, masked: list[Piece]) -> bytes:
        sides = zip(masked, self._held, strict=True)
        return b"\n".join(joined([each]) for each, held in sides if held.direction == "server")


def _decoder(content_encoding: str) -> tuple[Decoder | None, bool]:
    """Return what unpacks a stream, and whether its chunks can be read at all."""
    try:
        return decoder_for(content_encoding), True
    except DecodeError:
        return None, False


def _spread(events: list[Piece], chunks: list[_Chunk]) -> Iterator[_Chunk]:
    """Give masked events, which are shorter or longer than they were, the times of the chunks in turn."""
    for place, event in enumerate(events):
        at = chunks[min(place * len(chunks) // len(events), len(chunks) - 1)]
        yield replace(at, raw=event)


@dataclass(frozen=True, slots=True)
class Finished:
    """A response's body for the record, and what it told: ``answer``, and ``shown`` of the masked text."""

    body: Bulk | Omitted
    hits: int
    answer: Answer
    shown: Answer


class ResponseDraft:
    """The body of a response, a stream's or any other."""

    def __init__(
        self,
        path: str,
        headers: RawHeaders,
        open_spool: OpenSpool,
        omitted: OmitReason | None,
        mask: Mask | None,
        *,
        messages: bool = False,
        memory: Memory | None = None,
    ) -> None:
        """``path`` is the call's, ``headers`` are the response's; ``messages`` of a WebSocket follow."""
        self._path = path
        self._mask = mask
        self._content_type = first(headers, b"content-type").decode("latin-1")
        self._headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        encoding = first(headers, b"content-encoding").decode("latin-1")
        if messages:
            self._content_type = "application/x-ndjson"  # as masked messages are read again
        self._reader = MessagesReader(path) if messages else AnswerReader(path, self._content_type)
        self._draft: BodyDraft | ChunksDraft
        if messages:
            self._draft = MessagesDraft("", open_spool, omitted, mask, self._reader, memory=memory)
        elif self._content_type.lower().startswith(_STREAMS):
            self._draft = ChunksDraft(encoding, open_spool, omitted, mask, self._reader, memory=memory)
        else:
            self._draft = BodyDraft(encoding, open_spool, omitted, self._reader, memory)

    def feed(self, pieces: Pieces, wall: int, started: int) -> None:
        """Take what arrived next; ``wall`` is the wall clock (ns) at ``started`` of the monotonic clock."""
        if isinstance(self._draft, ChunksDraft):
            self._draft.feed(pieces, wall, started)
        else:
            self._draft.feed(pieces)

    def finish(self) -> Finished:
        """Return the body and what it told."""
        draft = self._draft
        if isinstance(draft, ChunksDraft):
            body, hits = draft.finish()
            masked = draft.masked
        else:
            whole = draft.whole()
            draft.show(whole)
            body, hits = draft.finish(whole, partial(mask_body, mask=self._mask) if self._mask else None)
            masked = body.text if hits and isinstance(body, Bulk) else None
        answer = self._reader.finish()
        count_headers(answer, self._headers)
        return Finished(body, hits, answer, self._shown(answer, masked))

    def _shown(self, answer: Answer, masked: bytes | None) -> Answer:
        """Return what may be read of an answer: what its masked text tells, and nothing that is masked."""
        if self._mask is None:
            return answer
        if masked is not None:
            answer = read_body(masked, self._path, self._content_type)
        mask = self._mask
        calls = [ToolCall(mask(each.id)[0], mask(each.name)[0]) for each in answer.tool_calls]
        names = (answer.model, answer.stop_reason, answer.response_id)
        model, stop_reason, response_id = (name and mask(name)[0] for name in names)
        return replace(
            answer, model=model, stop_reason=stop_reason, response_id=response_id, tool_calls=calls
        )
