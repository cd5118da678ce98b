"""One call from end to end: admitted, routed, streamed both ways, and handed to the recorder."""

import asyncio
import logging
import random
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx

from groundwork.eventlog import EventLog
from proxy.recording.capture import Capture, Failure
from proxy.recording.recorder import Recorder
from proxy.telemetry.metrics import NO_PROVIDER, Metrics
from proxy.wire.access.refusals import refusal
from proxy.wire.admission import Admission
from proxy.wire.call import BodyTooLargeError, Call, ClientGoneError, Cut
from proxy.wire.headers import first, for_client, for_upstream
from proxy.wire.routing import RefusedError, Route, Upstream, resolve

_CUT: dict[Cut, str] = {
    "client_gone": "the client left before the end",
    "shutdown": "the proxy was stopped before the end",
}
_TOO_LARGE = "the request body is too large"
# Parsing a URL costs more than the rest of a request; only allowed hosts come here.
_URLS = 256
_ids = random.Random()  # noqa: S311 - ids need not be secret


@dataclass(slots=True)
class Traffic:
    """Counts since the start, and the calls that run."""

    metrics: Metrics = field(default_factory=Metrics)
    running: set[Call] = field(default_factory=set)


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
        transport: httpx.AsyncBaseTransport,
        recorder: Recorder,
        admission: Admission,
        upstreams: tuple[Upstream, ...],
        *,
        pages: Mapping[bytes, Page],
        events: EventLog,
    ) -> None:
        self.traffic = Traffic()
        self._transport = transport
        self._recorder = recorder
        self._admission = admission
        self._upstreams = upstreams
        self._pages = pages
        self._events = events
        self._urls: dict[str, httpx.URL] = {}

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
        capture = _capture(call, route) if route.conversation else None
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
            call.abort()
            return Failure(call.cut, _CUT[call.cut])
        except ClientGoneError:
            return Failure("client_gone", _CUT["client_gone"])
        except (httpx.TransportError, BodyTooLargeError) as exc:
            failure, status = _explain(call, route, exc)
        except Exception as exc:  # noqa: BLE001 - whatever one call does, the others go on
            failure, status = Failure("internal", type(exc).__name__), HTTPStatus.BAD_GATEWAY
        else:
            return None
        self._tell(call, route, capture, failure, status)
        return failure

    async def _exchange(self, call: Call, route: Route, capture: Capture | None) -> None:
        request = httpx.Request(
            call.method,
            self._url(route),
            headers=for_upstream(call.headers, route.upstream),
            stream=self._body(call, capture),
            extensions={"target": route.target},
        )
        response = await self._transport.handle_async_request(request)
        try:
            await self._respond(call, response, capture)
        finally:
            await response.aclose()

    def _body(self, call: Call, capture: Capture | None) -> httpx.AsyncByteStream:
        if not call.is_whole:
            return _Upload(call, capture, self._recorder)
        body = call.take()
        if capture is not None:
            if body:
                capture.request.add(body, capture.started)
            self._recorder.offer_request(capture)
        return httpx.ByteStream(body)

    async def _respond(self, call: Call, response: httpx.Response, capture: Capture | None) -> None:
        raw = response.headers.raw
        call.start(response.status_code, response.extensions["reason_phrase"], for_client(raw))
        added = time.monotonic_ns() - call.begun - response.extensions["waited"]
        self.traffic.metrics.added.observe(added / 1e9)
        side = None
        if capture is not None:
            capture.status = response.status_code
            capture.response_headers = raw
            side = capture.response
        async for piece in _pieces(response):
            call.write(piece)
            if capture and side and side.add(piece, time.monotonic_ns()):
                self._recorder.offer_part(capture, side)
            if call.is_behind:
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

    def _url(self, route: Route) -> httpx.URL:
        """Return the host as httpx wants it; the target goes beside it, as httpx would normalise it."""
        key = f"{route.scheme}://{route.upstream}"
        url = self._urls.get(key)
        if url is None:
            if len(self._urls) >= _URLS:
                self._urls.clear()
            url = self._urls[key] = httpx.URL(key)
        return url


class _Upload(httpx.AsyncByteStream):
    """A request's body as the client sends it."""

    def __init__(self, call: Call, capture: Capture | None, recorder: Recorder) -> None:
        self._call = call
        self._capture = capture
        self._recorder = recorder

    async def __aiter__(self) -> AsyncIterator[bytes]:
        capture = self._capture
        while piece := await self._call.read():
            if capture is not None and capture.request.add(piece, time.monotonic_ns()):
                self._recorder.offer_part(capture, capture.request)
            yield piece
        if capture is not None:
            self._recorder.offer_request(capture)


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


def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """Iterate the transport's own stream: httpx's would count and decode."""
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("a response that cannot be streamed")
    return aiter(stream)


def _explain(call: Call, route: Route, exc: Exception) -> tuple[Failure, HTTPStatus]:
    if call.is_too_large:
        return Failure("too_large", _TOO_LARGE), HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
        return Failure("connect", f"cannot reach {route.upstream}: {exc}"), HTTPStatus.BAD_GATEWAY
    return Failure("upstream", f"{route.upstream} broke off: {exc}"), HTTPStatus.BAD_GATEWAY
