"""One call from end to end: admitted, routed, streamed both ways, and handed to the recorder."""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from groundwork.eventlog import EventLog
from proxy.config import Recorded
from proxy.recording.capture import Capture, Failure
from proxy.recording.recorder import Recorder
from proxy.telemetry.metrics import NO_PROVIDER, Metrics
from proxy.wire.access.call_kind import Kind
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
_TOO_LARGE = "the request body is too large"
_ids = random.Random()  # noqa: S311 - ids need not be secret


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
    ) -> None:
        self.traffic = traffic or Traffic()
        self._transport = transport
        self._recorder = recorder
        self._admission = admission
        self._upstreams = upstreams
        self._recorded = _RECORDED[record]
        self._pages = pages
        self._events = events

    async def __call__(self, call: Call) -> None:
        """Answer one call."""
        page = self._pages.get(call.target.partition(b"?")[0])
        metrics = self.traffic.metrics
        try:
            if page is not None and call.method in {"GET", "HEAD"}:
                self._show(call, page)
                return
            route = self._admit(call)
        except RefusedError as exc:
            metrics.ended(NO_PROVIDER, exc.status)
            call.answer(exc.status, *refusal(exc.status, str(exc), call.target))
            return
        call.admitted = True
        metrics.calls += 1
        self.traffic.running.add(call)
        try:
            await self._forward(call, route)
        finally:
            self.traffic.running.discard(call)
            metrics.ended(route.provider, call.status)

    def _show(self, call: Call, page: Page) -> None:
        if page.guarded:
            self._admission.check(call.headers, needs_token=False)
        call.answer(HTTPStatus.OK, page.body(), ((b"Content-Type", page.content_type),))

    def _admit(self, call: Call) -> Route:
        if call.over_limit:
            call.keep_alive = False
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
        self._admission.check(call.headers)
        if call.wants_upgrade and first(call.headers, b"upgrade").lower() == b"websocket":
            # Codex falls back to plain HTTP on this; anything slower makes it wait.
            call.keep_alive = False
            raise RefusedError(HTTPStatus.UPGRADE_REQUIRED, "WebSocket is not relayed; use HTTP")
        if call.is_too_large:
            call.keep_alive = False
            raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
        return resolve(call.method, call.target, call.headers, self._upstreams)

    async def _forward(self, call: Call, route: Route) -> None:
        capture = _capture(call, route) if route.kind in self._recorded else None
        if capture is None:
            self.traffic.metrics.unrecorded[route.kind] += 1
        failure: Failure | None = Failure("internal", "the call was not finished")
        try:
            failure = await self._guard(call, route, capture)
        finally:
            if failure is not None:
                self.traffic.metrics.failures[failure.kind] += 1
            if capture is not None:
                if not capture.request_offered:
                    self._recorder.offer_request(capture)
                self._recorder.offer_response(capture, failure)

    async def _guard(self, call: Call, route: Route, capture: Capture | None) -> Failure | None:
        """Run the exchange; return why it did not end well, after the client was told."""
        try:
            await self._exchange(call, route, capture)
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
        except (UpstreamError, BodyTooLargeError) as exc:
            failure, status = _explain(call, route, exc)
        except Exception as exc:  # noqa: BLE001 - whatever one call does, the others go on
            failure, status = Failure("internal", type(exc).__name__), HTTPStatus.BAD_GATEWAY
        else:
            return None
        self._tell(call, route, capture, failure, status)
        return failure

    async def _exchange(self, call: Call, route: Route, capture: Capture | None) -> None:
        answer = await self._transport.send(
            Request(
                Origin.of(route.scheme, route.upstream),
                call.method,
                route.target,
                for_upstream(call.headers, route.upstream),
                self._body(call, capture),
                call.size,
            )
        )
        try:
            await self._respond(call, answer, capture)
        finally:
            answer.close()

    def _body(self, call: Call, capture: Capture | None) -> bytes | BodySource:
        if not call.is_whole:
            return _Upload(call, capture, self._recorder)
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

        while not await answer.pump(take):
            await call.drain()
        call.end()

    def _tell(
        self, call: Call, route: Route, capture: Capture | None, failure: Failure, status: HTTPStatus
    ) -> None:
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


class _Upload:
    """A request's body as the client sends it."""

    def __init__(self, call: Call, capture: Capture | None, recorder: Recorder) -> None:
        self._call = call
        self._capture = capture
        self._recorder = recorder

    async def read(self) -> bytes:
        """Return the next piece, on record; nothing at the end."""
        piece = await self._call.read()
        capture = self._capture
        if capture is not None:
            if not piece:
                self._recorder.offer_request(capture)
            elif capture.request.add(piece, time.monotonic_ns()):
                self._recorder.offer_part(capture, capture.request)
        return piece


def _new_id() -> str:
    """Return a random UUID (RFC 9562). uuid4 asks the kernel each time, and so lets go of the interpreter."""
    return str(uuid.UUID(int=_ids.getrandbits(128), version=4))


def _capture(call: Call, route: Route) -> Capture:
    return Capture(
        request_id=_new_id(),
        provider=route.provider,
        upstream=route.upstream,
        method=call.method,
        path=route.path,
        query=route.query,
        headers=call.headers,
        started=time.monotonic_ns(),
        started_wall=time.time_ns(),
    )


def _explain(call: Call, route: Route, exc: Exception) -> tuple[Failure, HTTPStatus]:
    if call.is_too_large:
        return Failure("too_large", _TOO_LARGE), HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(exc, ConnectError):
        return Failure("connect", f"cannot reach {route.upstream}: {exc}"), HTTPStatus.BAD_GATEWAY
    return Failure("upstream", f"{route.upstream} broke off: {exc}"), HTTPStatus.BAD_GATEWAY
