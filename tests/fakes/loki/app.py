"""The Loki's paths, its guards, and its orders."""

import asyncio
import base64
import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from tests.fakes.control import PREFIX, Script
from tests.fakes.loki import push, queries
from tests.fakes.loki.distributor import Distributor, Outcome
from tests.fakes.loki.entry import Stream
from tests.fakes.loki.exposition import metrics_text
from tests.fakes.loki.limits import Limits, config_text
from tests.fakes.loki.order import Order
from tests.fakes.reply import (
    Close,
    Hang,
    Pause,
    Reply,
    Reset,
    Step,
    head,
    json_answer,
    plain,
    text_answer,
)
from tests.fakes.wire import Request

PUSH_PATHS = ("/loki/api/v1/push", "/api/prom/push")
# What a tenant's name may hold (dskit/tenant/tenant.go)
_TENANT = re.compile(r"[A-Za-z0-9!\-_.*'()]{1,150}")
_NO_TENANT = "fake"
# Enough for a test of many pushes, without keeping all of a benchmark's.
_REMEMBERED = 10_000


class Kept(NamedTuple):
    """A stored entry; ``copies`` is how often it is physically there."""

    labels: dict[str, str]
    ts: int
    line: str
    metadata: dict[str, str]
    copies: int
    tenant: str


class PushSeen(NamedTuple):
    """What a push was; ``status`` is 0 where no answer was given, ``at`` in nanoseconds."""

    at: int
    status: int
    streams: int
    entries: int
    wire_bytes: int
    headers: list[tuple[str, str]]


class LokiApp:
    """One Loki; ``clock`` gives nanoseconds."""

    def __init__(self, limits: Limits, clock: Callable[[], int] = time.time_ns) -> None:
        self.limits = limits
        self.script = Script(Order)
        self.pushes: deque[PushSeen] = deque(maxlen=_REMEMBERED)
        self.tenants: dict[str, Distributor] = {}
        self._clock = clock

    def answer_early(self, request: Request) -> Reply | None:
        if request.target.startswith(PREFIX):
            return None
        order = self.script.peek(request.path)
        if order is None or not order.early:
            return None
        self.script.take(request.path)
        self._saw(request, [], order.status)
        return list(_ordered_steps(order, b""))

    def answer(self, request: Request) -> Reply:
        if request.target.startswith(PREFIX):
            return self._control(request)
        if request.path in PUSH_PATHS:
            return self._push(request)
        order = self.script.take(request.path)
        if order:
            return list(_ordered_steps(order, b"" if order.status else self._served(request)))
        return self._served(request)

    def kept(self) -> Iterator[Kept]:
        """Yield all that is stored, in the order of its coming."""
        for tenant, distributor in self.tenants.items():
            for stream in distributor.ingester.streams.values():
                for entry, copies in stream.copies.items():
                    metadata = dict(entry.metadata)
                    yield Kept(dict(stream.labels), entry.ts, entry.line, metadata, copies, tenant)

    def forget(self, gone: Callable[[str], bool]) -> int:
        """Lose the entries whose line fits, and return how many there were."""
        count = 0
        for distributor in self.tenants.values():
            for stream in distributor.ingester.streams.values():
                lost = {entry for entry in stream.copies if gone(entry.line)}
                stream.forget(lost)
                count += len(lost)
        return count

    def _push(self, request: Request) -> Reply:
        if request.method != b"POST":
            return text_answer("405 method not allowed\n", 405)
        streams: list[Stream] = []
        try:
            tenant = self._tenant(request)
            streams = self._decoded(request)
            outcome = None
        except push.PushError as exc:
            tenant, outcome = _NO_TENANT, Outcome(exc.status, exc.text)
        order = self.script.take(request.path, lambda each: _contains(each, streams))
        if outcome is None:
            outcome = self._effect(tenant, streams, order)
        distributor = self.tenants.get(tenant)
        if distributor and not (order and (order.status or order.fault)):
            distributor.counts.pushes[outcome.status] += 1
        own = _push_answer(outcome)
        if order is None:
            self._saw(request, streams, outcome.status)
            return [Pause(self.limits.latency), own] if self.limits.latency else own
        self._saw(request, streams, 0 if order.fault else order.status or outcome.status)
        return list(_ordered_steps(order, own))

    def _effect(self, tenant: str, streams: list[Stream], order: Order | None) -> Outcome:
        if order and order.held:
            later = replace(order, held=0.0, stored=True)
            asyncio.get_running_loop().call_later(order.held, self._effect, tenant, streams, later)
            return Outcome(204)
        if order and not order.takes_effect:
            return Outcome(204)
        if order and order.first is not None:
            streams = _first(streams, order.first)
        distributor = self.tenants.setdefault(tenant, Distributor(tenant))
        return distributor.push(streams, self.limits, self._clock())

    def _decoded(self, request: Request) -> list[Stream]:
        kind = request.header(b"content-type") or ""
        encoding = request.header(b"content-encoding") or ""
        streams = push.decode(request.body, kind, encoding, self.limits)
        # The old path speaks another JSON: what today's says means nothing there.
        old = request.path == PUSH_PATHS[1] and kind.startswith("application/json")
        return [Stream(each.labels, []) for each in streams] if old else streams

    def _saw(self, request: Request, streams: list[Stream], status: int) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers]
        entries = sum(len(each.entries) for each in streams)
        size = len(request.body)
        self.pushes.append(PushSeen(self._clock(), status, len(streams), entries, size, headers))

    def _tenant(self, request: Request) -> str:
        """Return whose push or query it is. Raises ``PushError`` for a caller without credentials."""
        given = request.header(b"authorization") or ""
        basic = base64.b64encode(self.limits.basic.encode()).decode()
        if self.limits.bearer and given != f"Bearer {self.limits.bearer}":
            raise push.PushError(401, "Unauthorized\n")
        if self.limits.basic and given != f"Basic {basic}":
            raise push.PushError(401, "Unauthorized\n")
        if not self.limits.auth_enabled:
            return _NO_TENANT
        tenant = request.header(b"x-scope-orgid")
        if not tenant:
            raise push.PushError(401, "no org id\n")
        if not _TENANT.fullmatch(tenant):
            raise push.PushError(400, f"tenant ID '{tenant}' contains unsupported character\n")
        return tenant

    def _served(self, request: Request) -> bytes:
        path = request.path
        if path == "/ready":
            return text_answer("ready\n")
        if path == "/config":
            return plain(200, config_text(self.limits).encode(), "text/plain; charset=utf-8")
        if path == "/metrics":
            return plain(200, metrics_text(self.tenants).encode(), "text/plain; version=0.0.4")
        if path == "/flush":
            for each in self.tenants.values():
                each.ingester.flush()
            return head(204, [])
        try:
            tenant = self._tenant(request)
        except push.PushError as exc:
            return text_answer(exc.text, exc.status)
        answered = queries.answer(request, self.tenants.get(tenant), self.limits, self._clock())
        return answered or text_answer("404 page not found\n", 404)

    def _control(self, request: Request) -> Reply:
        if request.path == "/_fake/entries":
            return json_answer([each._asdict() for each in self.kept()])
        if request.path == "/_fake/state":
            return json_answer(self.state())
        if request.path == "/_fake/limits":
            return self._limit(request)
        return self.script.control(request) or text_answer("no such control\n", 404)

    def _limit(self, request: Request) -> Reply:
        current = msgspec.structs.asdict(self.limits)
        try:
            changes = msgspec.json.decode(request.body, type=dict[str, Any]) if request.body else {}
            self.limits = msgspec.convert({**current, **changes}, Limits)
        except ValueError as exc:
            return text_answer(f"{exc}\n", 400)
        return json_answer(msgspec.to_builtins(self.limits))

    def state(self) -> dict[str, Any]:
        """Return counts over all tenants."""
        kept = list(self.kept())
        return {
            "pushes": len(self.pushes),
            "statuses": {str(status): count for status, count in self._statuses().items()},
            "entries": len(kept),
            "copies": sum(each.copies for each in kept),
            "lines_received": sum(each.counts.lines_received for each in self.tenants.values()),
            "bytes_received": sum(each.counts.bytes_received for each in self.tenants.values()),
            "discarded": {tenant: dict(each.counts.discarded) for tenant, each in self.tenants.items()},
            "waiting_orders": len(self.script),
        }

    def _statuses(self) -> dict[int, int]:
        made: dict[int, int] = {}
        for each in self.pushes:
            made[each.status] = made.get(each.status, 0) + 1
        return made


def _push_answer(outcome: Outcome) -> bytes:
    return head(204, []) if outcome.status == 204 else text_answer(outcome.text + "\n", outcome.status)


def _contains(order: Order, streams: list[Stream]) -> bool:
    if not order.containing:
        return True
    return any(order.containing in entry.line for stream in streams for entry in stream.entries)


def _first(streams: list[Stream], count: int) -> list[Stream]:
    made = []
    for stream in streams:
        made.append(stream._replace(entries=stream.entries[:count]))
        count -= len(made[-1].entries)
    return made


def _ordered_steps(order: Order, own: bytes) -> Iterator[Step]:
    if order.delay:
        yield Pause(order.delay)
    match order.fault:
        case "reset":
            yield Reset()
        case "close":
            yield Close()
        case "hang":
            yield Hang()
        case _ if order.status:
            length = [] if order.status == 204 else [("Content-Length", str(len(order.body.encode())))]
            yield head(order.status, [*order.headers, *length]) + order.body.encode()
        case _:
            yield own
