"""Takes what the event loop captured and has it written, on a thread of its own.

The event loop never waits here: it appends to a queue that is bounded in bytes. When the writer cannot keep
up, the call wins, then the envelope, then the body.
"""

import asyncio
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from groundwork.eventlog import EventLog
from proxy.record.chunk import Pieces
from proxy.record.journal import ProxyLogger
from proxy.recording.capture import (
    HANDED_OVER,
    STAMPS,
    Capture,
    Failure,
    Item,
    RequestEnd,
    RequestPart,
    ResponseEnd,
    ResponsePart,
    Side,
    Stamps,
)
from proxy.recording.queue.hasher import Hasher
from proxy.recording.queue.write_throttle import WriteThrottle
from proxy.recording.transcript import Policy
from proxy.recording.worker import Counters, Writer

# Bodies that wait for the writer; at 100 calls a second of 100 KB this bridges a pause of over two seconds,
# and the process stays below 100 MB.
BODIES = 20 << 20
# A body that has begun may take so much more: a request of 30 MB arrives faster than it is read, and what its
# beginning tells is lost without its end.
BEGUN = 12 << 20
# The answer to such a request, of which nothing may have been written yet.
_ANSWER = 1 << 20
# A body up to so many bytes still finds room when larger ones have filled the queue: uploads of one client
# take no short call of another off the record. At 50 calls a second the room lasts for seconds.
_SHORT = 16 << 10
SHORT_BODIES = 4 << 20
# Envelopes have room of their own, so that who called when stays on record after the bodies are left out.
ENVELOPES = 16 << 20
# The writer is woken this long after the first item that waits for it, and so writes in groups and takes
# the interpreter's lock once for many items.
_WAKE_AFTER = 0.01
# How old the figure of the free disk may get while nothing is recorded: as old as what Prometheus reads.
_LOOK_EVERY = 15.0
# What is taken from the queue between two flushes, so that a burst does not grow the journal's buffers.
_GROUP = 2 << 20


@dataclass(slots=True)
class _Room:
    """Bytes admitted by the event loop, and given back by the writer: one writer of each, no lock."""

    limit: int
    admitted: int = 0
    returned: int = 0

    def take(self, size: int, beyond: int = 0) -> bool:
        if self.held + size > self.limit + beyond:
            return False
        self.admitted += size
        return True

    @property
    def held(self) -> int:
        return self.admitted - self.returned


@dataclass(frozen=True, slots=True)
class _Queued:
    item: Item
    body: int
    envelope: int


@dataclass(slots=True)
class Limits:
    """Bounds of the queue, in bytes, and the free disk below which bodies are left out.

    ``begun`` is what bodies that have begun take beyond ``bodies``, ``short`` what short ones take beyond
    that.
    """

    bodies: int = BODIES
    envelopes: int = ENVELOPES
    begun: int = BEGUN
    short: int = SHORT_BODIES
    min_free: int = 0


class Recorder:
    """The way from the event loop to the log. Its ``offer_*`` methods belong to the event loop."""

    def __init__(
        self, logger: ProxyLogger, policy: Policy, log_dir: Path, limits: Limits, events: EventLog
    ) -> None:
        self._writer = Writer(logger, policy, log_dir, limits.min_free, events)
        self._stamps = Stamps()
        self._queue: deque[_Queued] = deque()
        self._bodies = _Room(limits.bodies)
        self._begun = limits.begun
        self._short = limits.short
        self._envelopes = _Room(limits.envelopes)
        self._calls_left_out = 0
        self._missing: dict[tuple[str, str], int] = {}
        self._wake = threading.Event()
        self._waking = False
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._hasher = Hasher()
        self._throttle = WriteThrottle()

    def start(self) -> None:
        """Start the writer."""
        self._hasher.start()
        self._thread.start()

    def close(self) -> None:
        """Write all that waits, and end the writer. Nothing may be offered afterwards."""
        self._stopping = True
        self._wake.set()
        self._thread.join()
        self._hasher.close()

    @property
    def counters(self) -> Counters:
        """What became of the records that were written, or not."""
        return self._writer.counters

    @property
    def records_missing(self) -> int:
        """Records that are in no file: left out for want of room, or lost with the disk."""
        return self.counters.records_lost + 2 * self._calls_left_out

    @property
    def waiting(self) -> int:
        """Bytes that wait for the writer."""
        rooms = (self._bodies, self._envelopes)
        return sum(room.held for room in rooms)

    @property
    def queued(self) -> int:
        """Requests, responses and parts of them that wait for the writer."""
        return len(self._queue)

    def offer_part(self, capture: Capture, side: Side) -> None:
        """Hand over what one side of a call holds, while it runs."""
        if capture.left_out:
            side.take()
            return
        size = side.held
        if not self._bodies.take(size, self._beyond(capture, side)):
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
            self._calls_left_out += 1
            return
        pieces, size = self._settle(capture, capture.request)
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
        pieces, size = self._settle(capture, capture.response)
        ts = self._stamps.take(time.time_ns())
        end = ResponseEnd(capture, pieces, ts, time.monotonic_ns(), failure)
        self._put(_Queued(end, size, envelope))

    def _beyond(self, capture: Capture, side: Side) -> int:
        """Return how far past its limit the queue takes more of a side."""
        if side is capture.response and capture.request.size > HANDED_OVER:
            return self._begun + _ANSWER
        if side.size <= _SHORT:
            return self._begun + self._short
        return self._begun if side.handed_over else 0

    def _settle(self, capture: Capture, side: Side) -> tuple[Pieces, int]:
        if side.omitted is None and not self._bodies.take(side.held, self._beyond(capture, side)):
            whole = side.omit()
            if whole:
                # On a thread of its own, which hashes faster than calls come; the writer's stands still.
                side.digest = self._hasher.submit(whole)
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
        self._writer.open()
        while not (self._stopping and not self._queue):
            while not self._wake.wait(_LOOK_EVERY):
                self._writer.look_at_disk()
            self._wake.clear()
            while self._queue:
                self._write_group()
            if self._stopping:
                self._wake.set()
        self._writer.close()

    def _write_group(self) -> None:
        bodies = envelopes = 0
        while self._queue and bodies + envelopes < _GROUP:
            queued = self._queue.popleft()
            bodies += queued.body
            envelopes += queued.envelope
            began = time.monotonic()
            self._writer.take(queued.item)
            rest = self._throttle.rest(time.monotonic() - began)
            if rest and not self._stopping:
                time.sleep(rest)
        began, worked = time.monotonic(), time.thread_time()
        self._writer.flush()
        self._throttle.flushed(time.monotonic() - began - (time.thread_time() - worked))
        self._bodies.returned += bodies
        self._envelopes.returned += envelopes
