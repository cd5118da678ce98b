"""Which messages of a WebSocket are of which response: OpenAI's Responses and realtime events.

Theory of operation. A client asks by ``response.create``; the realtime API also answers of itself, when it
has heard the end of a speech. ``response.created`` tells a response's id, which later events of the realtime
API name. What comes while no response runs belongs to the next one.
"""

import re
from dataclasses import dataclass
from typing import Literal

from proxy.content.document import object_in, parse_object, text_in

ENDS = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"}
)
# A longer event is read by its beginning alone; OpenAI writes an event's type and id first.
_PARSED = 64 << 10
_BEGINNING = 1024
_TYPE = re.compile(rb'"type"\s*:\s*"([a-z_.]{1,64})"')
_ID = re.compile(rb'"(?:response_id"\s*:\s*"|response"\s*:\s*\{[^{}]*?"id"\s*:\s*")([^"]{1,256})"')

Role = Literal["request", "opening", "message", "end"]
"""A request's body; a message that opens a response of the provider's own accord; any other; a last one."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message belongs: the number of its turn, and what it is there."""

    turn: int
    role: Role


@dataclass(slots=True, eq=False)
class _Turn:
    number: int
    response_id: str = ""


class Turns:
    """The responses of one connection. ``in_turn``: one after the other, so that an error ends its own."""

    def __init__(self, *, in_turn: bool) -> None:
        self._in_turn = in_turn
        self._count = 0
        self._waiting: _Turn | None = None
        self._running: list[_Turn] = []

    @property
    def running(self) -> list[int]:
        """The turns that were asked for and have not ended."""
        return [each.number for each in self._running]

    def sent(self, data: bytes) -> Place:
        """Place a message of the client by its first bytes."""
        kind, _ = event_of(data)
        if kind == "response.create":
            turn = self._wait()
            self._run(turn)
            return Place(turn.number, "request")
        return Place((self._running[-1] if self._running else self._wait()).number, "message")

    def received(self, data: bytes) -> Place:
        """Place a message of the provider by its first bytes."""
        kind, response_id = event_of(data)
        if kind == "response.created":
            return self._created(response_id)
        turn = self._named(response_id)
        if turn is None:
            return Place(self._wait().number, "message")
        if kind in ENDS or (kind == "error" and (self._in_turn or not turn.response_id)):
            self._running.remove(turn)
            return Place(turn.number, "end")
        return Place(turn.number, "message")

    def _created(self, response_id: str) -> Place:
        turn = next((each for each in self._running if not each.response_id), None)
        if turn is not None:
            turn.response_id = response_id
            return Place(turn.number, "message")
        turn = self._wait()
        turn.response_id = response_id
        self._run(turn)
        return Place(turn.number, "opening")

    def _named(self, response_id: str) -> _Turn | None:
        named = (each for each in self._running if response_id and each.response_id == response_id)
        return next(named, self._running[0] if self._running else None)

    def _wait(self) -> _Turn:
        if self._waiting is None:
            self._count += 1
            self._waiting = _Turn(self._count)
        return self._waiting

    def _run(self, turn: _Turn) -> None:
        self._waiting = None
        self._running.append(turn)


def event_of(data: bytes) -> tuple[str, str]:
    """Return an event's type and the id of its response, each empty where it has none."""
    event = parse_object(data) if len(data) <= _PARSED else None
    if event is None:
        beginning = data[:_BEGINNING]
        kind, named = _TYPE.search(beginning), _ID.search(beginning)
        return (kind[1].decode() if kind else ""), (named[1].decode("latin-1") if named else "")
    response = object_in(event, "response")
    return text_in(event, "type") or "", text_in(event, "response_id") or text_in(response, "id") or ""
