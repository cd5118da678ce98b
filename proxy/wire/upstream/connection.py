"""One connection to an upstream: requests out, answers in, one after the other."""

import asyncio
from collections.abc import Callable

from proxy.wire.message.framing import Decoder, Endless, Sized, decoder_of
from proxy.wire.message.handover import Handover
from proxy.wire.message.head import (
    AnswerHead,
    MalformedError,
    end_of_answer_head,
    interim,
    parse_answer,
)
from proxy.wire.upstream.failure import BrokenError, UpstreamError, reason_of

# What is held of an answer that nobody takes; a slow client stops the upstream there.
_HELD_BYTES = 128 << 10
# RFC 9110 15.2 sets no bound; a provider sends one or two.
_MOST_INTERIM = 16
_SWITCHING = 101
_CLOSED = "the connection was closed"

Take = Callable[[bytes], bool]


class UpstreamConnection(asyncio.Protocol):
    """Sends what it is told and reads one answer at a time. Raises ``UpstreamError`` and nothing else."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport = None  # type: ignore[assignment] # set before anything else
        self.via_proxy: bytes | None = None
        """Where a forward proxy passes plain requests on: its login header, perhaps empty."""
        self.used = 0
        """How many answers it has brought whole."""
        self.idle_since = 0.0
        self.on_unusable: Callable[[UpstreamConnection], None] | None = None
        """Called when a connection that lies idle can no longer be used."""
        self._loop = asyncio.get_running_loop()
        self._lost: UpstreamError | None = None
        self._clear()
        self._writable: asyncio.Future[None] | None = None
        self._write_paused = False

    def _clear(self) -> None:
        """Be ready for the next exchange."""
        self._active = False
        self._is_head = False
        self._may_switch = False
        self._interim = 0
        self._pending = b""
        self._head: AnswerHead | None = None
        self._decoder: Decoder | None = None
        self._touched = False
        self._keep_alive = False
        self._pieces: list[bytes] = []
        self._held = 0
        self._read_paused = False
        self._take: Take | None = None
        self._stopped = False
        self._waiter: Handover[None] | None = None
        self._error: Exception | None = None

    @property
    def is_usable(self) -> bool:
        """Nothing came unasked, and it is open."""
        return self._lost is None and not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport  # type: ignore[assignment] # a stream's

    def begin(self, method: str, *, may_switch: bool) -> None:
        """Expect an answer; ``may_switch`` where the request offered another protocol."""
        self._clear()
        self._active = True
        self._is_head = method == "HEAD"
        self._may_switch = may_switch

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the upstream has read enough. Raises ``UpstreamError`` where it is gone."""
        while self._write_paused and self._lost is None:
            if self._writable is None:
                self._writable = self._loop.create_future()
            await self._writable
        if self._lost is not None:
            raise self._lost

    async def head(self) -> AnswerHead:
        """Return the answer's head; interim answers are passed over."""
        while self._head is None and self._error is None:
            await self._wait()
        if self._head is None:
            raise self._broken()
        return self._head

    async def pump(self, take: Take) -> bool:
        """Hand each piece of the body to ``take`` as it arrives; False as soon as ``take`` says to stop.

        True means that the body is whole. What had arrived before a break is handed out first.
        """
        while True:
            if self._pieces and take(self._gather()):
                return False
            if self._is_whole:
                return True
            if self._error is not None:
                raise self._broken()
            self._resume_reading()
            self._take = take
            try:
                await self._wait()
            finally:
                self._take = None
            if self._stopped:
                self._stopped = False
                return False

    def finish(self) -> bool:
        """End the exchange; tell whether the connection can be used again."""
        usable = self._is_whole and self._keep_alive and self.is_usable and not self._write_paused
        if usable:
            self._resume_reading()
            self.used += 1
            self._clear()
        return usable

    def abort(self) -> None:
        """Break the connection."""
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """Close it once all is sent."""
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Take what the upstream sent."""
        if not self._active or self._is_whole:
            # A 408, or an answer to nothing: what comes next could not be told from an answer.
            self._unask()
            return
        self._touched = True
        try:
            if self._decoder is None:
                self._read_head(data)
            else:
                self._read_body(self._decoder, data)
        except MalformedError as exc:
            self.fail(UpstreamError(str(exc)))
        except Exception as exc:  # noqa: BLE001 - of ``take``: told to whoever waits, not to the loop
            self.fail(exc)
        else:
            # Whoever waits goes on within this, and may use the connection again: nothing follows.
            if self._decoder is not None and (self._take is None or self._decoder.done):
                self._wake()

    def _unask(self) -> None:
        self._keep_alive = False
        self.transport.abort()
        self._tell_unusable()

    def _read_head(self, data: bytes) -> None:
        seen = len(self._pending)
        self._pending = self._pending + data if seen else data
        while end := end_of_answer_head(self._pending, seen):
            head, self._pending, seen = parse_answer(self._pending[:end]), self._pending[end:], 0
            if not interim(head.status):
                self._start_body(head)
                return
            self._interim += 1
            if self._interim > _MOST_INTERIM:
                raise MalformedError("it sent interim answers without end")

    def _start_body(self, head: AnswerHead) -> None:
        if head.status == _SWITCHING:
            if not self._may_switch:
                raise MalformedError("it switched protocols, which nobody asked for")
            decoder: Decoder = Endless()
        elif self._is_head or head.status in {204, 304}:
            decoder = Sized(0)
        else:
            decoder = decoder_of(head.framing)
        self._decoder = decoder
        self._keep_alive = head.keep_alive and not isinstance(decoder, Endless)
        self._head = head
        rest, self._pending = self._pending, b""
        if decoder.done:
            self._keep_alive = self._keep_alive and not rest
        elif rest:
            self._read_body(decoder, rest)

    def _read_body(self, decoder: Decoder, data: bytes) -> None:
        piece = decoder.feed(data)
        if decoder.rest:
            self._keep_alive = False
        if piece:
            self._hand_out(piece)

    def _hand_out(self, piece: bytes) -> None:
        take = self._take
        if take is not None and not self._pieces:
            if take(piece):
                self._take = None
                self._stopped = True
                self._pause_reading()
            return
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > _HELD_BYTES:
            self._pause_reading()

    def _gather(self) -> bytes:
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        return piece

    @property
    def has_arrived(self) -> bool:
        """``pump`` has something to hand out at once, or is done."""
        return bool(self._pieces) or self._is_whole

    @property
    def _is_whole(self) -> bool:
        return self._decoder is not None and self._decoder.done

    def eof_received(self) -> None:
        """Take the end of a body that ends with its connection; let the transport close."""
        if isinstance(self._decoder, Endless):
            self._decoder.done = True
            self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._lost = BrokenError(reason_of(exc) if exc else _CLOSED, untouched=not self._touched)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._tell_unusable()
        if self._active and not self._is_whole:
            self._fail(self._lost)

    def pause_writing(self) -> None:
        """Note that the upstream reads too slowly."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """Go on."""
        self._write_paused = False
        if self._writable is not None:
            if not self._writable.done():
                self._writable.set_result(None)
            self._writable = None

    def fail(self, error: Exception) -> None:
        """End the exchange for a reason of this side: half a request gets no answer."""
        self.abort()
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self._wake()

    def _broken(self) -> Exception:
        error = self._error
        if isinstance(error, BrokenError):
            return BrokenError(str(error), untouched=not self._touched)
        return error or UpstreamError(_CLOSED)

    def _tell_unusable(self) -> None:
        if self.on_unusable is not None:
            self.on_unusable(self)

    async def _wait(self) -> None:
        self._waiter = Handover(self._loop)
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done:
            self._waiter.give(None)

    def _pause_reading(self) -> None:
        if not self._read_paused:
            self._read_paused = True
            self.transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._read_paused:
            self._read_paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
