"""A proxy's recorder with its files, that clients converse through: bytes in, records out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from proxy.record.chunk import Pieces
from proxy.record.journal import Journal
from proxy.record.record import Fork, Record, Request, Response, SessionStart
from proxy.recording.capture import Capture, Failure, RequestEnd, ResponseEnd, Stamps
from proxy.recording.transcript import Policy, Transcript
from proxy.sessions.session_index import Archive
from proxy.sessions.sessions import Sessions
from tests.proxy.bodies import MemorySpool

WALL = 1_795_428_900_000_000_000


class Where(NamedTuple):
    """Where a call is on record: its session by number, its own number, its parent's, and what it left."""

    session: int
    seq: int
    parent: int = 0
    left: tuple[int, int] | None = None


class Recorder:
    """Calls go on record in the order in which they are asked and answered."""

    def __init__(self, log_dir: Path, *, restarts: bool = False) -> None:
        """With ``restarts`` the proxy starts anew before each call that has no other beside it."""
        self._log_dir = log_dir
        self._restarts = restarts
        self._running = 0
        self._stamps = Stamps()
        self._names: list[str] = []
        self._tokens = iter(f"{number:08x}" for number in range(1000))
        self.records: list[Record] = []
        self._start()

    def _start(self) -> None:
        self._archive = Archive(self._log_dir)
        sessions = Sessions(self._archive.recall, self._archive.known())
        self._journal = Journal(self._log_dir)
        self._transcript = Transcript(
            Policy("u@h"), sessions, MemorySpool, lambda: next(self._tokens), lambda: False
        )

    def _stop(self) -> None:
        self._archive.flush()
        self._archive.close()
        assert self._journal.close() == []

    def ask(
        self, body: Any, path: str = "/v1/messages", provider: str = "anthropic", **headers: Any
    ) -> tuple[Capture, Where]:
        """Make a call; return it, and where it is on record."""
        if self._restarts and not self._running:
            self._stop()
            self._start()
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        upstream = f"api.{provider}.com"
        stamp = self._stamps.take(WALL, 10)
        call = Capture(f"r{stamp}", provider, upstream, "POST", path, "", named, 1000, WALL)
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        call.request.size += len(data)
        records = self._transcript.request_end(RequestEnd(call, _pieces(data), stamp, 0))
        self._log(records, upstream)
        self._running += 1
        return call, self._where(records)

    def answer(self, call: Capture, body: Any, status: int = 200, failure: Failure | None = None) -> Response:
        """Answer a call: a list is a stream of events."""
        is_stream = isinstance(body, list)
        kind = b"text/event-stream" if is_stream else b"application/json"
        data = b"".join(map(_event, body)) if is_stream else orjson.dumps(body)
        call.status, call.response_headers = status, [(b"content-type", kind)]
        call.response.size += len(data)
        end = ResponseEnd(call, _pieces(data), self._stamps.take(WALL, 10), 2000, failure)
        response = self._transcript.response_end(end)
        self._log([response], call.upstream)
        self._running -= 1
        return response

    def say(self, body: Any, answer: Any, status: int = 200, **more: Any) -> Where:
        """Make a call and answer it."""
        call, where = self.ask(body, **more)
        self.answer(call, answer, status)
        return where

    def _log(self, records: list[Record], upstream: str) -> None:
        self.records += records
        for record in records:
            self._journal.register_upstream(record.meta.session, upstream)
            kind = "session_start" if isinstance(record, SessionStart) else type(record).__name__.lower()
            getattr(self._journal, f"log_{kind}")(record)
            self._archive.note(record)
        for where, session, handle in self._transcript.new_handles():
            self._archive.note_handle(where[1], session, handle)

    def _where(self, records: list[Record]) -> Where:
        request = records[-1]
        assert isinstance(request, Request)
        left = next((each for each in records if isinstance(each, Fork)), None)
        return Where(
            self._number(request.meta.session),
            request.seq,
            request.history.parent if request.history else 0,
            (self._number(left.parent_session), left.from_seq) if left else None,
        )

    def _number(self, session: str) -> int:
        if session not in self._names:
            self._names.append(session)
        return self._names.index(session)


def _pieces(data: bytes) -> Pieces:
    return Pieces([data], [1500], len(data))


def _event(document: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(document) + b"\n\n"
