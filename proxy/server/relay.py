"""One call from end to end: admitted, routed, streamed both ways, and handed to the recorder."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from groundwork.eventlog import EventLog
from proxy.config import Recorded
from proxy.recording.capture import Capture, Failure
from proxy.recording.queue.recorder import Recorder
from proxy.server.exchange import Exchange, Upload, new_id
from proxy.server.signed import is_expired, signed, whole_body
from proxy.server.tap import Tap
from proxy.server.tunnel import Tunnel
from proxy.telemetry.metrics import NO_PROVIDER, Metrics
from proxy.wire.access.bedrock import Signer, SigningError, needs_signature
from proxy.wire.access.call_kind import Kind
from proxy.wire.access.callers import Callers
from proxy.wire.access.refusals import refusal
from proxy.wire.admission import Admission
from proxy.wire.call import BodyTooLargeError, Call, ClientGoneError, Cut
from proxy.wire.headers import first, for_client, for_upstream
from proxy.wire.message.head import coding_of
from proxy.wire.routing import RefusedError, Route, Upstream, resolve
from proxy.wire.upstream.failure import ConnectError, UpstreamError
from proxy.wire.upstream.pool import Answer, Transport
from proxy.wire.upstream.request import BodySource, Origin, Request

_CUT: dict[Cut, str] = {
    "client_gone": "the client left before the end",
    "shutdown": "the proxy was stopped before the end",
    "timeout": "nothing moved for too long",
}
_RECORDED: dict[Recorded, frozenset[Kind]] = {
    "all": frozenset({"conversation", "task"}),
    "conversations": frozenset({"conversation"}),
}
# The default of caller_calls.
_CALLS = 1024
_TOO_LARGE = "the request body is too large"


@dataclass(slots=True)
class Traffic:
    """Counts since the start, and the calls that run.

    The timeouts are seconds in which nothing of a request, or of an answer, has moved.
    """

    upload_timeout: float = 3600.0
    answer_timeout: float = 3600.0
    metrics: Metrics = field(default_factory=Metrics)
    running: set[Call] = field(default_factory=set)

    def end_overdue(self, now: int) -> None:
        """Cancel calls of which nothing has moved for too long at ``now`` (monotonic ns)."""
        for call in list(self.running):
            limit = self.answer_timeout if call.is_whole else self.upload_timeout
            if now - call.moved > limit * 1e9:
                call.cancel("timeout")


@dataclass(frozen=True, slots=True)
class Page:
    """What the proxy itself answers under a path, without a token; ``guarded`` by the other checks or not."""

    body: Callable[[], bytes]
    content_type: bytes
    guarded: bool


class Relay:
    """Handles every call of the proxy. ``pages`` are the paths that it answers itself."""

    def __init__(
        self,
        transport: Transport,
        recorder: Recorder,
        admission: Admission,
        upstreams: tuple[Upstream, ...],
        *,
        record: Recorded = "all",
        pages: Mapping[bytes, Page],
        events: EventLog,
        traffic: Traffic | None = None,
        callers: Callers | None = None,
        signer: Signer | None = None,
    ) -> None:
        """``signer`` signs the calls to Bedrock; None where clients sign them, or nobody does."""
        self.traffic = traffic or Traffic()
        self._transport = transport
        self._recorder = recorder
        self._admission = admission
        self._upstreams = upstreams
        self._recorded = _RECORDED[record]
        self._pages = pages
        self._events = events
        self._callers = callers or Callers(_CALLS)
        self._signer = signer

    async def __call__(self, call: Call) -> None:
        """Answer one call."""
        page = self._pages.get(call.target.partition(b"?")[0])
        metrics = self.traffic.metrics
        try:
            if page is not None and call.method in {"GET", "HEAD"}:
                self._show(call, page)
                return
            route, caller = self._admit(call)
        except RefusedError as exc:
            metrics.ended(NO_PROVIDER, exc.status)
            call.answer(exc.status, *refusal(exc.status, str(exc), call.target))
            return
        call.admitted = True
        metrics.calls += 1
        self.traffic.running.add(call)
        try:
            await self._forward(Exchange(call, route, caller, self._recorded))
        finally:
            self._callers.leave(caller or call.client)
            self.traffic.running.discard(call)
            metrics.ended(route.provider, call.status)

    def _show(self, call: Call, page: Page) -> None:
        if page.guarded:
            self._admission.check(call.headers, needs_token=False)
        call.answer(HTTPStatus.OK, page.body(), ((b"Content-Type", page.content_type),))

    def _admit(self, call: Call) -> tuple[Route, str]:
        """Return where a call goes, and the name of its caller."""
        if call.over_limit:
            call.keep_alive = False
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
        caller = self._admission.check(call.headers)
        if call.over_share:
            call.keep_alive = False
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS, "this address has too many connections (caller_connections)"
            )
        if call.is_too_large:
            call.keep_alive = False
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
        bedrock = self._signer.host if self._signer else ""
        route = resolve(call.method, call.target, call.headers, self._upstreams, bedrock)
        if not self._callers.enter(caller or call.client):
            raise RefusedError(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"this caller has {self._callers.calls} calls running, its limit (caller_calls)",
            )
        return route, caller

    async def _forward(self, exchange: Exchange) -> None:
        if exchange.capture is None:
            self.traffic.metrics.unrecorded[exchange.route.kind] += 1
        failure: Failure | None = Failure("internal", "the call was not finished")
        try:
            failure = await self._guard(exchange)
        finally:
            capture = exchange.capture
            if exchange.tap is not None:
                failure = exchange.tap.close(failure)
            elif capture is not None:
                if not capture.request_offered:
                    self._recorder.offer_request(capture)
                self._recorder.offer_response(capture, failure)
            if failure is not None:
                self.traffic.metrics.failures[failure.kind] += 1

    async def _guard(self, exchange: Exchange) -> Failure | None:
        """Run the exchange; return why it did not end well, after the client was told."""
        call, route = exchange.call, exchange.route
        try:
            await self._exchange(exchange)
        except asyncio.CancelledError:
            if call.cut is None:
                raise
            failure = Failure(call.cut, _CUT[call.cut])
            if call.cut != "timeout":
                call.abort()
                return failure
            status = HTTPStatus.GATEWAY_TIMEOUT if call.is_whole else HTTPStatus.REQUEST_TIMEOUT
        except ClientGoneError:
            return Failure("client_gone", _CUT["client_gone"])
        except (UpstreamError, BodyTooLargeError, SigningError) as exc:
            failure, status = _explain(call, route, exc)
        except Exception as exc:  # noqa: BLE001 - whatever one call does, the others go on
            failure, status = Failure("internal", type(exc).__name__), HTTPStatus.BAD_GATEWAY
        else:
            return None
        self._tell(exchange, failure, status)
        return failure

    async def _exchange(self, exchange: Exchange) -> None:
        call, route, signer = exchange.call, exchange.route, self._signer
        if signer is None or route.provider != "bedrock" or not needs_signature(call.headers):
            signer = None
            body = b"" if exchange.is_upgrade else self._body(call, exchange.capture)
        else:
            body = await whole_body(call, exchange.capture, self._recorder)
        request = Request(
            Origin.of(route.scheme, route.upstream),
            call.method,
            route.target,
            for_upstream(call.headers, route.upstream, upgrade=exchange.is_upgrade),
            body,
            call.size,
        )
        if signer is not None:
            request = await signed(signer, request, route.upstream)
        answer = await self._transport.send(request)
        try:
            if signer is not None and is_expired(answer.head):
                signer.forget()
            if answer.head.status == HTTPStatus.SWITCHING_PROTOCOLS:
                await self._switch(exchange, answer)
            else:
                await self._respond(call, answer, exchange.capture)
        finally:
            answer.close()

    async def _switch(self, exchange: Exchange, answer: Answer) -> None:
        head = answer.head
        connection = new_id()

        def begin() -> Capture:
            capture = exchange.new_capture()
            capture.connection = connection
            capture.status = head.status
            capture.response_headers = head.headers
            return capture

        extensions = first(head.headers, b"sec-websocket-extensions").decode("latin-1")
        exchange.tap = Tap(self._recorder, begin, extensions)
        await Tunnel(exchange.call, answer, exchange.tap).run()

    def _body(self, call: Call, capture: Capture | None) -> bytes | BodySource:
        if not call.is_whole:
            return Upload(call, capture, self._recorder)
        body = call.take()
        if capture is not None:
            if body:
                capture.request.add(body, capture.started)
            self._recorder.offer_request(capture)
        return body

    async def _respond(self, call: Call, answer: Answer, capture: Capture | None) -> None:
        head = answer.head
        call.start(head.status, head.reason, for_client(head.headers), coding_of(head.headers))
        added = time.monotonic_ns() - call.begun - answer.waited
        self.traffic.metrics.added.observe(added / 1e9)
        side = None
        if capture is not None:
            capture.status = head.status
            capture.response_headers = head.headers
            side = capture.response

        def take(piece: bytes) -> bool:
            call.write(piece)
            call.moved = time.monotonic_ns()
            if capture and side and side.add(piece, call.moved):
                self._recorder.offer_part(capture, side)
            return call.is_behind

        if not answer.has_arrived:
            call.flush()
        while not await answer.pump(take):
            await call.drain()
        call.end()

    def _tell(self, exchange: Exchange, failure: Failure, status: HTTPStatus) -> None:
        call, route, capture = exchange.call, exchange.route, exchange.capture
        self._events.write(
            logging.WARNING,
            "proxy.call_failed",
            f"A call to {route.upstream} failed: {failure.message}",
            upstream=route.upstream,
            kind=failure.kind,
        )
        if call.response_started:
            call.abort()
            return
        if capture is not None:
            capture.status = status
        call.answer(status, *refusal(status, failure.message, call.target))


def _explain(call: Call, route: Route, exc: Exception) -> tuple[Failure, HTTPStatus]:
    if isinstance(exc, BodyTooLargeError) or call.is_too_large:
        return Failure("too_large", _TOO_LARGE), HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(exc, SigningError):
        return Failure("internal", f"cannot sign for {route.upstream}: {exc}"), HTTPStatus.BAD_GATEWAY
    if isinstance(exc, ConnectError):
        return Failure("connect", f"cannot reach {route.upstream}: {exc}"), HTTPStatus.BAD_GATEWAY
    return Failure("upstream", f"{route.upstream} broke off: {exc}"), HTTPStatus.BAD_GATEWAY
