"""From what was captured to the records of a session: the order of steps on the recorder's side.

Pure but for the spools that are handed in: items come in, records go out.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from proxy.content.clients import Client, gives_no_reply, identify, named_answer, of_the_day
from proxy.content.dialects.dialect import Answer
from proxy.content.dialects.registry import NAMES, counted_as
from proxy.content.redact.headers import mask_headers
from proxy.content.redact.patterns import Mask
from proxy.content.redact.shapes import mask_keys
from proxy.content.redact.text import mask_path, mask_query
from proxy.content.request_info import Reader, RequestInfo
from proxy.record.chunk import Pieces, format_time
from proxy.record.record import (
    Bulk,
    ExchangeError,
    Fork,
    History,
    Meta,
    OmitReason,
    Omitted,
    Record,
    Request,
    Response,
    SessionStart,
    interrupted,
)
from proxy.recording.body import OpenSpool, RequestDraft
from proxy.recording.capture import (
    STAMPS,
    Capture,
    Failure,
    RequestEnd,
    RequestPart,
    ResponseEnd,
    ResponsePart,
)
from proxy.recording.memory import Memory
from proxy.recording.stream_body import ResponseDraft
from proxy.sessions.families import Where
from proxy.sessions.replay import Handle, Unanswered, has_failed, scope_of
from proxy.sessions.sessions import Outcome, Placement, Sessions, session_name
from proxy.wire.access.call_kind import kind_of
from proxy.wire.admission import LOG_BODIES_HEADER
from proxy.wire.headers import first

# Sessions with records missing; a disk that fails for long makes one of every new session.
_GAPS = 10_000
_FIRST_ERROR = 400
# What can still happen to a call whose answer is complete, and is nobody's fault then.
_CUTS = frozenset({"client_gone", "shutdown", "upstream"})
_NO_BODIES = frozenset({b"0", b"false", b"no", b"off"})


@dataclass(frozen=True, slots=True)
class Policy:
    """How bodies are logged, and what this machine is called (``user@hostname``)."""

    machine: str
    log_bodies: bool = True
    mask: Mask | None = None
    repeat_history: bool = False


@dataclass(frozen=True, slots=True)
class _Read:
    """What a request's body told; where patterns hit, ``asked`` and ``sha256`` are of the masked text."""

    body: Bulk | Omitted
    hits: int
    asked: RequestInfo
    client: Client
    sha256: str


class Transcript:
    """The calls of one proxy, as their sessions' records.

    ``new_token`` returns 8 hexadecimal digits; ``low_disk`` tells whether bodies must be left out for now.
    """

    def __init__(
        self,
        policy: Policy,
        sessions: Sessions,
        open_spool: OpenSpool,
        new_token: Callable[[], str],
        low_disk: Callable[[], bool],
    ) -> None:
        self._policy = policy
        self._reader = Reader()
        self._memory = Memory()
        self._sessions = sessions
        self._open_spool = open_spool
        self._new_token = new_token
        self._low_disk = low_disk
        self._gaps: dict[str, int] = {}
        self.dialects = dict.fromkeys(NAMES, 0)
        """Answers by the dialect that they were read in."""

    def new_handles(self) -> Sequence[tuple[Where, str, Handle]]:
        """Return what later calls may name and no pattern masks, with the session, for the index; once."""
        return [each for each in self._sessions.new_handles() if self._masked(each[2].name) == each[2].name]

    def missed(self, session: str, records: int) -> None:
        """Note records that are not in a session's file, for its next record to tell."""
        if session in self._gaps or len(self._gaps) < _GAPS:
            self._gaps[session] = self._gaps.get(session, 0) + records

    def request_part(self, item: RequestPart) -> None:
        """Take some of a request's body."""
        self._request_draft(item.capture).feed(item.pieces)

    def request_end(self, item: RequestEnd) -> list[Record]:
        """Take the rest of a request; return its records.

        Before it come the responses of calls that an end of the process interrupted, where its session is
        found again, and the session's start, where it is new.
        """
        capture = item.capture
        draft = self._request_draft(capture)
        draft.feed(item.pieces)
        read = self._read_request(capture, draft)
        asked = read.asked
        where = scope_of(capture.provider, capture.caller), capture.upstream
        is_task = kind_of(capture.method, capture.path) == "task"
        client = self._client_of_task(where, capture, read.client, item.ts) if is_task else read.client
        steps = asked.steps if not is_task else ()
        fresh = session_name(item.ts, self._new_token())
        placement = self._sessions.place(where, client, steps, asked.setting, fresh)
        capture.placement = placement
        meta = self._meta(capture, placement, item.ts + STAMPS - 1)
        return [
            *self._interrupted(capture, placement.interrupted, item.ts),
            *self._begin(capture, placement, item.ts + STAMPS - 3),
            Request(
                meta=meta,
                provider=capture.provider,
                seq=placement.seq,
                method=capture.method,
                path=mask_path(capture.path),
                headers=mask_headers(capture.headers),
                size=capture.request.size,
                body=capture.request.settled(read.body),
                query=mask_query(capture.query),
                model=asked.model,
                stream=asked.stream,
                history=_history(asked, placement),
                request_sha=read.sha256,
                redacted=read.hits,
                gap=item.gap + self._gaps.pop(meta.session, 0),
            ),
        ]

    def _client_of_task(self, where: Where, capture: Capture, client: Client, ts: int) -> Client:
        """Return whose session a call without a conversation is in: that which it names, or one a day."""
        if client.key:
            return client
        named = named_answer(capture.path)
        if named and self._sessions.knows_answer(where, named):
            return replace(client, previous=named)
        day = format_time(ts)[:10].replace("-", "")
        return replace(client, key=of_the_day(capture.headers, day), previous="")

    def _interrupted(self, capture: Capture, calls: Sequence[Unanswered], ts: int) -> Iterator[Response]:
        for at, call in enumerate(calls[: STAMPS - 3]):
            agents = call.agent, call.parent_agent
            machine, upstream = self._policy.machine, capture.upstream
            meta = Meta(ts + at, machine, upstream, call.session, call.request_id, *agents, capture.caller)
            yield interrupted(meta, capture.provider, call.seq)

    def _begin(self, capture: Capture, placement: Placement, ts: int) -> Iterator[SessionStart | Fork]:
        if not placement.is_new:
            return
        meta = replace(self._meta(capture, placement, ts), request_id="", agent="", parent_agent="")
        key = self._masked(placement.client.key)
        yield SessionStart(meta, capture.provider, capture.upstream, key)
        if placement.forked_from is not None:
            parent, seq = placement.forked_from
            yield Fork(replace(meta, ts=ts + 1), capture.provider, seq, parent)

    def _read_request(self, capture: Capture, draft: RequestDraft) -> _Read:
        whole = draft.whole()
        body, hits = draft.finish(whole, self._policy.mask)
        if whole is None:
            whole = self._masked(draft.thinned().decode("utf-8", "replace")).encode()
        asked = self._reader.read(whole, capture.path)
        client = identify(capture.path, capture.headers, asked.fields)
        if capture.connection and not client.key:
            client = replace(client, key=capture.connection)
        sha256 = draft.sha256 if capture.request.omitted is None else capture.request.sha256
        if hits and whole is not None:
            # What is not to be read must not be guessed from a hash either.
            masked = self._masked(whole.decode()).encode()
            sha256 = hashlib.sha256(masked).hexdigest()
            asked = self._reader.read(masked, capture.path)
        return _Read(body, hits, asked, client, sha256)

    def _masked(self, text: str) -> str:
        return self._policy.mask(text)[0] if self._policy.mask else text

    def response_part(self, item: ResponsePart) -> None:
        """Take some of a response's body."""
        self._take_response(item.capture, item.pieces)

    def response_end(self, item: ResponseEnd) -> Response:
        """Take the rest of a response; return its record. Raise LookupError if its request is unknown."""
        capture, placement = item.capture, item.capture.placement
        if placement is None:
            raise LookupError(capture.request_id)
        read = self._take_response(capture, item.pieces).finish()
        broken = item.failure is not None or read.answer.failure is not None
        unread = capture.status < _FIRST_ERROR and capture.response.size > 0 and not broken
        self.dialects[read.answer.dialect or counted_as(capture.path, unread=unread)] += 1
        error = self._error(capture, item.failure, read.answer)
        # A hash of the original would allow guessing the text that was masked.
        reply = b"" if read.hits else read.answer.reply
        failed = has_failed(capture.status, error is not None) or gives_no_reply(capture.path)
        where = scope_of(capture.provider, capture.caller), capture.upstream
        self._sessions.answered(where, placement, Outcome(reply, failed, read.answer.response_id or ""))
        return Response(
            meta=self._meta(capture, placement, item.ts),
            provider=capture.provider,
            seq=placement.seq,
            status=capture.status,
            headers=mask_headers(capture.response_headers),
            timing=capture.timing(item.ended),
            size=capture.response.size,
            body=capture.response.settled(read.body),
            model=read.shown.model,
            stop_reason=read.shown.stop_reason,
            usage=read.shown.tokens,
            tool_calls=read.shown.tool_calls,
            response_id=read.shown.response_id,
            reply=reply.hex(),
            error=error,
            redacted=read.hits,
            gap=self._gaps.pop(placement.session.name, 0),
        )

    def _error(self, capture: Capture, failure: Failure | None, answer: Answer) -> ExchangeError | None:
        """Return why a call did not end well; what came after the answer was complete is no error."""
        if answer.failure is not None and capture.status < _FIRST_ERROR:
            return ExchangeError("provider", mask_keys(self._masked(answer.failure)))
        if failure is None or (answer.ended and failure.kind in _CUTS):
            return None
        return ExchangeError(failure.kind, failure.message)

    def _take_response(self, capture: Capture, pieces: Pieces) -> ResponseDraft:
        draft = capture.response_draft
        if draft is None:
            omitted = self._omit_reason(capture)
            draft = ResponseDraft(
                capture.path,
                capture.response_headers,
                self._open_spool,
                omitted,
                self._policy.mask,
                messages=bool(capture.connection),
                memory=self._memory,
            )
            capture.response_draft = draft
        draft.feed(pieces, capture.started_wall, capture.started)
        return draft

    def _request_draft(self, capture: Capture) -> RequestDraft:
        draft = capture.request_draft
        if draft is None:
            encoding = first(capture.headers, b"content-encoding").decode("latin-1")
            draft = RequestDraft(encoding, self._open_spool, self._omit_reason(capture), self._memory)
            capture.request_draft = draft
        return draft

    def _omit_reason(self, capture: Capture) -> OmitReason | None:
        if not self._policy.log_bodies:
            return "log_bodies"
        if first(capture.headers, LOG_BODIES_HEADER).lower() in _NO_BODIES:
            return "opted_out"
        return "low_disk" if self._low_disk() else None

    def _meta(self, capture: Capture, placement: Placement, ts: int) -> Meta:
        return Meta(
            ts=ts,
            machine=self._policy.machine,
            host=capture.upstream,
            session=placement.session.name,
            request_id=capture.request_id,
            agent=placement.client.agent,
            parent_agent=placement.client.parent_agent,
            caller=capture.caller,
            client=capture.client,
        )


def _history(asked: RequestInfo, placement: Placement) -> History | None:
    if not placement.link:
        return None
    return History(len(asked.steps), placement.link.hex(), placement.parent, placement.client.previous)
