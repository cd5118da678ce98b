"""Takes what the event loop captured and has it written, on a thread of its own.

The event loop never waits here: it appends to a queue that is bounded in bytes. When the writer cannot keep
up, the call wins, then the envelope, then the body.
"""

import asyncio
import logging
import secrets
import shutil
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from groundwork.eventlog import EventLog
from proxy.capture import (
    STAMPS,
    Capture,
    Failure,
    Item,
    Pieces,
    RequestEnd,
    RequestPart,
    ResponseEnd,
    ResponsePart,
    Side,
    Stamps,
)
from proxy.journal import ProxyLogger
from proxy.record import Fork, Omitted, Record, Request, Response, SessionStart
from proxy.sessions import Sessions
from proxy.spool import FileSpool
from proxy.transcript import Policy, Transcript

# Bodies that wait for the writer; at 100 calls a second of 100 KB this bridges a pause of six seconds.
BODIES = 64 << 20
# Envelopes have room of their own, so that who called when stays on record after the bodies are left out.
ENVELOPES = 16 << 20
# The writer is woken this long after the first item that waits for it, and so writes in groups and takes
# the interpreter's lock once for many items.
_WAKE_AFTER = 0.005
# What is taken from the queue between two flushes, so that a burst does not grow the journal's buffers.
_GROUP = 2 << 20
_DISK_EVERY = 1.0  # seconds between two looks at the free disk
# A disk that fails does so for every call; one line a minute tells it.
_COMPLAIN_EVERY = 60.0


@dataclass(slots=True)
class Counters:
    """What /health tells. ``calls_left_out`` is the event loop's, all else the writer's."""

    records_written: int = 0
    bodies_omitted: int = 0
    records_lost: int = 0
    calls_left_out: int = 0
    write_errors: int = 0
    last_error: str | None = None
    failing: bool = False

    @property
    def records_missing(self) -> int:
        """Records that are in no file: left out for want of room, or lost with the disk."""
        return self.records_lost + 2 * self.calls_left_out


@dataclass(slots=True)
class _Room:
    """Bytes admitted by the event loop, and given back by the writer: one writer of each, no lock."""

    limit: int
    admitted: int = 0
    returned: int = 0

    def take(self, size: int) -> bool:
        if self.admitted - self.returned + size > self.limit:
            return False
        self.admitted += size
        return True


@dataclass(frozen=True, slots=True)
class _Queued:
    item: Item
    body: int
    envelope: int


@dataclass(slots=True)
class Limits:
    """Bounds of the queue, in bytes, and the free disk below which bodies are left out."""

    bodies: int = BODIES
    envelopes: int = ENVELOPES
    min_free: int = 0


class Recorder:
    """The way from the event loop to the log. Its ``offer_*`` methods belong to the event loop."""

    def __init__(
        self, logger: ProxyLogger, policy: Policy, log_dir: Path, limits: Limits, events: EventLog
    ) -> None:
        self.counters = Counters()
        self._logger = logger
        self._log_dir = log_dir
        self._limits = limits
        self._events = events
        self._transcript = Transcript(
            policy, Sessions(), self._open_spool, lambda: secrets.token_hex(4), self._low_disk
        )
        self._stamps = Stamps()
        self._queue: deque[_Queued] = deque()
        self._bodies = _Room(limits.bodies)
        self._envelopes = _Room(limits.envelopes)
        self._missing: dict[tuple[str, str], int] = {}
        self._wake = threading.Event()
        self._waking = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._looked_at_disk = 0.0
        self._is_low = False
        self._complained = -_COMPLAIN_EVERY

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def close(self) -> None:
        """Write all that waits, and end the writer. Nothing may be offered afterwards."""
        self._stopping = True
        self._wake.set()
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Bytes that wait for the writer."""
        rooms = (self._bodies, self._envelopes)
        return sum(room.admitted - room.returned for room in rooms)

    def offer_part(self, capture: Capture, side: Side) -> None:
        """Hand over what one side of a call holds, while it runs."""
        if capture.left_out:
            side.take()
            return
        size = side.held
        if not self._bodies.take(size):
            side.omit()
            return
        pieces = side.take()
        part = RequestPart if side is capture.request else ResponsePart
        self._put(_Queued(part(capture, pieces), size, 0))

    def offer_request(self, capture: Capture) -> None:
        """Hand over a request that is complete, or as complete as it will be. Once a call."""
        capture.request_offered = True
        envelope = capture.envelope_cost()
        place = (capture.provider, capture.upstream)
        if not self._envelopes.take(envelope):
            capture.left_out = True
            self._missing[place] = self._missing.get(place, 0) + 2
            self.counters.calls_left_out += 1
            return
        pieces, size = self._settle(capture.request)
        ts = self._stamps.take(time.time_ns(), STAMPS)
        end = RequestEnd(capture, pieces, ts, self._missing.pop(place, 0))
        self._put(_Queued(end, size, envelope))

    def offer_response(self, capture: Capture, failure: Failure | None) -> None:
        """Hand over how a call ended. Once a call, after its request."""
        if capture.left_out:
            return
        # A request on record always gets its response, so this envelope is admitted past the limit; the
        # calls that run at one time bound how far.
        envelope = capture.envelope_cost()
        self._envelopes.admitted += envelope
        pieces, size = self._settle(capture.response)
        ts = self._stamps.take(time.time_ns())
        end = ResponseEnd(capture, pieces, ts, time.monotonic_ns(), failure)
        self._put(_Queued(end, size, envelope))

    def _settle(self, side: Side) -> tuple[Pieces, int]:
        if side.omitted is None and not self._bodies.take(side.held):
            side.omit()
        pieces = side.take()
        return pieces, pieces.size

    def _put(self, queued: _Queued) -> None:
        self._queue.append(queued)
        if not self._waking:
            self._waking = True
            asyncio.get_running_loop().call_later(_WAKE_AFTER, self._wake_writer)

    def _wake_writer(self) -> None:
        self._waking = False
        self._wake.set()

    # From here on, the writer's thread.

    def _run(self) -> None:
        while not (self._stopping and not self._queue):
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                self._write_group()
            if self._stopping:
                self._wake.set()
        self._flush()

    def _write_group(self) -> None:
        bodies = envelopes = 0
        while self._queue and bodies + envelopes < _GROUP:
            queued = self._queue.popleft()
            bodies += queued.body
            envelopes += queued.envelope
            try:
                self._take(queued.item)
            except Exception as exc:  # noqa: BLE001 - one odd call must not end the log of all others
                self._failed(type(exc).__name__, 1)
        self._flush()
        self._bodies.returned += bodies
        self._envelopes.returned += envelopes

    def _take(self, item: Item) -> None:
        upstream = item.capture.upstream
        for record in self._records(item):
            self._logger.register_upstream(record.meta.session, upstream)
            self._log(record)
            self.counters.records_written += 1
            self.counters.bodies_omitted += _lacks_body(record)

    def _records(self, item: Item) -> Iterator[Record]:
        match item:
            case RequestPart():
                self._transcript.request_part(item)
            case ResponsePart():
                self._transcript.response_part(item)
            case RequestEnd():
                yield from self._transcript.request_end(item)
            case ResponseEnd() if item.capture.placement is not None:
                yield self._transcript.response_end(item)

    def _log(self, record: Record) -> None:
        match record:
            case SessionStart():
                self._logger.log_session_start(record)
            case Request():
                self._logger.log_request(record)
            case Response():
                self._logger.log_response(record)
            case Fork():
                self._logger.log_fork(record)

    def _flush(self) -> None:
        try:
            failures = self._logger.flush()
        except Exception as exc:  # noqa: BLE001 - as above
            self._failed(type(exc).__name__, 1)
            return
        for failure in failures:
            self._transcript.missed(failure.session, failure.records)
            self.counters.records_written -= failure.records
            self._failed(failure.reason, failure.records)
        if not failures:
            self.counters.failing = False

    def _failed(self, reason: str, records: int) -> None:
        counters = self.counters
        counters.write_errors += 1
        counters.records_lost += records
        counters.last_error = reason
        counters.failing = True
        if time.monotonic() - self._complained > _COMPLAIN_EVERY:
            self._complained = time.monotonic()
            self._events.write(
                logging.ERROR,
                "proxy.record_lost",
                f"Cannot write to the log: {reason}",
                reason=reason,
                write_errors=counters.write_errors,
            )

    def _open_spool(self) -> FileSpool:
        return FileSpool(self._log_dir / ".llm-proxy" / "spool")

    def _low_disk(self) -> bool:
        now = time.monotonic()
        if now - self._looked_at_disk > _DISK_EVERY:
            self._looked_at_disk = now
            self._is_low = shutil.disk_usage(self._log_dir).free < self._limits.min_free
        return self._is_low


def _lacks_body(record: Record) -> bool:
    """Tell whether a body is missing that the settings and the client wanted on record."""
    body = record.body if isinstance(record, Request | Response) else None
    return isinstance(body, Omitted) and body.reason not in {"log_bodies", "opted_out"}
