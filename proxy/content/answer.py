"""What an answer told, out of its bytes as they arrive or out of the events that another framing brings.

How an answer travels is told by its first bytes, as content types are often wrong or absent.
"""

import binascii
from base64 import b64decode
from contextlib import suppress
from typing import Protocol

from proxy.content.dialects.dialect import Answer, Dialect
from proxy.content.dialects.registry import dialect_of, read_path
from proxy.content.document import Json, parse, parse_object, text_in, values
from proxy.content.messages.answered import ReplyReader
from proxy.content.redact.shapes import looks_secret
from proxy.content.streams.frames import Frame, FrameReader
from proxy.content.streams.lines import LineReader
from proxy.content.streams.sse import Event, EventReader
from proxy.content.streams.thin import KEPT, Thinner

# The last event of several dialects; it is no JSON.
_DONE = b"[DONE]"
_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/stream+json")
# Their first byte is of a size of less than 16 MiB, and no text begins with it.
_FRAMES = "application/vnd.amazon.eventstream"
# What an answer can raise that is of no shape that a dialect foresaw; it tells nothing, and stays on record.
_UNFORESEEN = (TypeError, ValueError, KeyError, AttributeError, IndexError, RecursionError)


class DialectReader:
    """Reads the events of a stream, one after the other, or a whole document."""

    def __init__(self, path: str = "") -> None:
        """``path`` is that of the call, as it stood on the wire."""
        self.answer = Answer()
        self._path = read_path(path)
        self._dialect: Dialect | None = self._path.dialect
        self._reply = ReplyReader()

    def feed(self, data: bytes, name: bytes = b"") -> None:
        """Take an event's data and, where it has one apart from its data, its name."""
        dialect = self._dialect
        answer = self.answer
        was_cut = self._reply.cut(data)
        if dialect is not None and answer.model is not None and dialect.tells_nothing(data):
            return
        if data == _DONE:
            answer.ended = True
            return
        document = parse_object(data)
        if document is None and name == b"error":
            document = {"message": data.decode("utf-8", "replace")}
        if document is not None:
            if name == b"error" and "error" not in document:
                document["type"] = "error"
            self._read(document)
            if not was_cut:
                self._read_reply(document)

    def read(self, document: Json) -> None:
        """Take an event, or a whole answer, that is parsed."""
        self._read(document)
        self._read_reply(document)

    def finish(self) -> Answer:
        """Return what was told, when no more comes; the path names the model where nothing else did."""
        with suppress(*_UNFORESEEN):
            self.answer.reply = self._reply.marks()
        if self.answer.model is None and self._path.model and not looks_secret(self._path.model):
            self.answer.model = self._path.model
        return self.answer

    def _read_reply(self, document: Json) -> None:
        with suppress(*_UNFORESEEN):
            self._reply.read(document)

    def _read(self, document: Json) -> None:
        answer = self.answer
        if document.get("error") or document.get("type") == "error":
            answer.fail(document)
        dialect = dialect_of(document, self._dialect)
        if dialect is None:
            return
        self._dialect = dialect
        answer.dialect = dialect.name
        with suppress(*_UNFORESEEN):
            dialect.read(answer, document)


class MessagesReader:
    """Reads the messages of a WebSocket that its server sends: each an event."""

    def __init__(self, path: str) -> None:
        """``path`` is that of the handshake."""
        self._reader = DialectReader(path)

    def feed(self, message: bytes) -> None:
        """Take the next message."""
        self._reader.feed(message)

    def finish(self) -> Answer:
        """Return what they told."""
        return self._reader.finish()


class _Framing(Protocol):
    def feed(self, piece: bytes) -> None: ...

    def finish(self) -> None: ...


class AnswerReader:
    """Reads the bytes of an answer's body, whatever its size, as they arrive."""

    def __init__(self, path: str = "", content_type: str = "") -> None:
        """``path`` is that of the call; ``content_type`` the header's value."""
        self._reader = DialectReader(path)
        self._content_type = content_type.partition(";")[0].strip().lower()
        self._framing: _Framing | None = None

    def feed(self, piece: bytes) -> None:
        """Take what arrived next, unpacked."""
        if self._framing is None:
            piece = piece.lstrip(b"\xef\xbb\xbf \t\r\n")
            if not piece:
                return
            self._framing = self._framed(piece)
        self._framing.feed(piece)

    def finish(self) -> Answer:
        """Return what it told, when no more comes."""
        if self._framing is not None:
            self._framing.finish()
        return self._reader.finish()

    def _framed(self, beginning: bytes) -> "_Framing":
        if self._content_type == _FRAMES or beginning[:1] == b"\0":
            return _Frames(self._reader)
        if beginning[:1] in {b"{", b"["}:
            return (_Lines if self._content_type in _LINES else _Document)(self._reader)
        return _Events(self._reader)


class _Events:
    """Server-sent events; lines of anything else are none."""

    def __init__(self, reader: DialectReader) -> None:
        self._reader = reader
        self._events = EventReader()

    def feed(self, piece: bytes) -> None:
        self._take(self._events.feed(piece))

    def finish(self) -> None:
        self._take(self._events.finish())

    def _take(self, events: list[Event]) -> None:
        for event in events:
            self._reader.feed(event.data, event.name)


class _Frames:
    """Amazon's event streams: Converse's events, others' in ``bytes``, and exceptions."""

    def __init__(self, reader: DialectReader) -> None:
        self._reader = reader
        self._frames = FrameReader()

    def feed(self, piece: bytes) -> None:
        for frame in self._frames.feed(piece):
            self._take(frame)

    def finish(self) -> None:
        """Leave a message that broke off."""

    def _take(self, frame: Frame) -> None:
        event, payload = frame.headers.get(":event-type"), parse_object(frame.payload) or {}
        if frame.headers.get(":message-type", "event") != "event":
            kind = frame.headers.get(":exception-type") or frame.headers.get(":error-code")
            message = text_in(payload, "message") or frame.headers.get(":error-message") or ""
            self._reader.read({"error": {"type": kind or "exception", "message": message}})
        elif isinstance(carried := payload.get("bytes"), str):
            with suppress(binascii.Error, ValueError):
                self._reader.feed(b64decode(carried))
        elif event:
            self._reader.read({event: payload})


class _Lines:
    """A JSON object a line."""

    def __init__(self, reader: DialectReader) -> None:
        self._reader = reader
        self._lines = LineReader()

    def feed(self, piece: bytes) -> None:
        for line in self._lines.feed(piece):
            self._reader.feed(line)

    def finish(self) -> None:
        self._reader.feed(self._lines.finish())


class _Document:
    """JSON as a whole: one object, a list of events (Gemini), or lines that no content type announced."""

    def __init__(self, reader: DialectReader) -> None:
        self._reader = reader
        self._pieces: list[bytes] = []
        self._size = 0
        self._thinner: Thinner | None = None

    def feed(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._thinner is not None:
            self._thinner.feed(piece)
            return
        self._pieces.append(piece)
        if self._size > KEPT:
            self._thinner = Thinner()
            for each in self._pieces:
                self._thinner.feed(each)
            self._pieces = []

    def finish(self) -> None:
        data = b"".join(self._pieces) if self._thinner is None else self._thinner.finish()
        value = parse(data)
        if isinstance(value, dict):
            self._reader.read(value)
            self._reader.answer.ended = True  # it is here as a whole
            return
        told = (
            value
            if isinstance(value, list)
            else (each for each, _ in values(data.decode("utf-8", "replace")))
        )
        for event in told:
            if isinstance(event, dict):
                self._reader.read(event)


def read_body(body: bytes, path: str = "", content_type: str = "") -> Answer:
    """Read a whole answer; what no dialect knows tells nothing."""
    reader = AnswerReader(path, content_type)
    reader.feed(body)
    return reader.finish()
