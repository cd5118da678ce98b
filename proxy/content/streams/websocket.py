"""WebSocket frames (RFC 6455) of one direction to messages, also compressed ones (RFC 7692)."""

from collections.abc import Iterator
from dataclasses import dataclass

from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.frame_protocol import Frame, FrameProtocol, ParseFailed

# A longer message is given out in several pieces, so that none is held whole.
LONGEST_PIECE = 1 << 20
# What a compressed connection is fed at once: deflate makes at most 1,032 bytes of one.
_FED = 4 << 10


@dataclass(frozen=True, slots=True)
class Message:
    """A message, or a piece of a long one: ``begins`` and ``ends`` tell which."""

    data: bytes
    begins: bool = True
    ends: bool = True


@dataclass(frozen=True, slots=True)
class Close:
    """The frame by which a side closes; ``code`` is that of RFC 6455 7.4."""

    code: int
    reason: str

    def __str__(self) -> str:
        """Say both, for an error's text."""
        return f"{self.code} {self.reason}".rstrip()


class MessageReader:
    """Reads what one side sends; never raises, as its bytes go on whatever they are."""

    def __init__(self, *, from_client: bool, extensions: str) -> None:
        """``extensions`` is the handshake's answer, ``Sec-WebSocket-Extensions``; empty for none."""
        known = _extensions(extensions)
        self.is_broken = known is None
        """What comes cannot be read, so that no more messages will be found."""
        self._compressed = bool(known)
        self._frames = FrameProtocol(client=not from_client, extensions=known or [])
        self._pieces: list[bytes] = []
        self._held = 0
        self._begins = True

    def feed(self, data: bytes) -> Iterator[Message | Close]:
        """Yield the messages that these bytes complete, and a close."""
        step = _FED if self._compressed else len(data) or 1
        for at in range(0, len(data), step):
            if self.is_broken:
                return
            self._frames.receive_bytes(data[at : at + step])
            yield from self._received()

    def _received(self) -> Iterator[Message | Close]:
        try:
            for frame in self._frames.received_frames():
                yield from self._take(frame)
        except (ParseFailed, ValueError):
            self.is_broken = True

    def _take(self, frame: Frame) -> Iterator[Message | Close]:
        payload = frame.payload
        if isinstance(payload, tuple):
            yield Close(int(payload[0]), payload[1] or "")
        elif not frame.opcode.iscontrol():
            piece = payload.encode() if isinstance(payload, str) else bytes(payload)
            self._pieces.append(piece)
            self._held += len(piece)
            ends = frame.message_finished
            if ends or self._held > LONGEST_PIECE:
                yield Message(b"".join(self._pieces), self._begins, ends)
                self._pieces, self._held, self._begins = [], 0, ends


def _extensions(answered: str) -> list[Extension] | None:
    """Return the extensions of a connection; None where one of them is not known here."""
    offers = [each.strip() for each in answered.split(",") if each.strip()]
    found: list[Extension] = []
    for offer in offers:
        deflate = PerMessageDeflate()
        if offer.partition(";")[0].strip().lower() != deflate.name:
            return None
        try:
            deflate.finalize(offer)
        except ValueError:
            return None
        found.append(deflate)
    return found
