"""The messages of a WebSocket on their way to the recorder: a request and a response for each turn."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from proxy.content.dialects.openai.turns import Place, Turns
from proxy.content.streams.websocket import Close, Message, MessageReader
from proxy.record.chunk import Direction
from proxy.recording.capture import Capture, Failure
from proxy.recording.queue.recorder import Recorder


@dataclass(slots=True)
class _Side:
    reader: MessageReader
    place: Place
    closed: Close | None = None


class Tap:
    """Reads both sides' bytes after they were sent on; nothing here holds them up or changes them."""

    def __init__(self, recorder: Recorder, begin: Callable[[], Capture], extensions: str) -> None:
        """``begin`` makes the capture of a turn; ``extensions`` are those of the handshake's answer."""
        self._recorder = recorder
        self._begin = begin
        self._captures: dict[int, Capture] = {}
        self._ended = 0
        first = begin()
        self._first: Capture | None = first
        self._turns = Turns(in_turn=first.path.rstrip("/").endswith("/responses"))
        nowhere = Place(0, "message")
        self._sides: dict[Direction, _Side] = {
            "client": _Side(MessageReader(from_client=True, extensions=extensions), nowhere),
            "server": _Side(MessageReader(from_client=False, extensions=extensions), nowhere),
        }

    def take(self, direction: Direction, data: bytes) -> None:
        """Take what one side sent."""
        side = self._sides[direction]
        for each in side.reader.feed(data):
            if isinstance(each, Close):
                side.closed = side.closed or each
            else:
                self._message(direction, side, each)

    def close(self, failure: Failure | None) -> Failure | None:
        """End the turns that still run; return why they did not end well.

        ``failure`` is why the connection ended; where a side closed it, its frame tells. What came after the
        last turn is not on record, unless there was none.
        """
        failure = self._reason() or failure
        running = self._turns.running
        for number, capture in list(self._captures.items()):
            if number in running:
                self._finish(number, failure or Failure("upstream", "the WebSocket ended amid a response"))
            elif not self._ended or capture.response.handed_over:
                self._finish(number, failure)
        if not self._ended and not self._captures:
            self._captures[0] = self._first or self._begin()
            self._finish(0, failure)
        return failure if running else None

    def _reason(self) -> Failure | None:
        server, client = self._sides["server"].closed, self._sides["client"].closed
        if client is not None:
            return Failure("client_gone", f"the client closed the WebSocket: {client}")
        return Failure("upstream", f"the upstream closed the WebSocket: {server}") if server else None

    def _message(self, direction: Direction, side: _Side, message: Message) -> None:
        now = time.monotonic_ns()
        if message.begins:
            place = self._turns.sent if direction == "client" else self._turns.received
            side.place = place(message.data)
        number, role = side.place.turn, side.place.role
        capture = self._capture(number)
        if role == "request":
            self._request(capture, message, now)
            return
        if role == "opening" and not capture.request_offered:
            self._start(capture, now)
            self._recorder.offer_request(capture)
        if capture.response.add_message(message.data, now, direction):
            self._recorder.offer_part(capture, capture.response)
        if role == "end" and message.ends:
            self._finish(number, None)

    def _request(self, capture: Capture, message: Message, now: int) -> None:
        if message.begins:
            self._start(capture, now)
        if capture.request.add(message.data, now):
            self._recorder.offer_part(capture, capture.request)
        if message.ends:
            self._recorder.offer_request(capture)

    def _start(self, capture: Capture, now: int) -> None:
        """Let the turn's clock begin: what came before has times below zero."""
        capture.started, capture.started_wall = now, time.time_ns()
        capture.response.first = 0

    def _capture(self, number: int) -> Capture:
        capture = self._captures.get(number)
        if capture is None:
            capture, self._first = self._first or self._begin(), None
            self._captures[number] = capture
        return capture

    def _finish(self, number: int, failure: Failure | None) -> None:
        capture = self._captures.pop(number)
        self._ended += 1
        if not capture.request_offered:
            self._recorder.offer_request(capture)
        self._recorder.offer_response(capture, failure)
