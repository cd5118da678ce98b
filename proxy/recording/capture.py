"""What is seen of one call while it runs, and the values in which that goes to the recorder.

The event loop only appends to lists here; hashing, decoding and parsing are the recorder's.
"""

from dataclasses import dataclass, field
from itertools import chain
from typing import Protocol

from proxy.record.chunk import Direction, Pieces
from proxy.record.record import Bulk, ErrorKind, OmitReason, Omitted, Timing
from proxy.recording.body import RequestDraft
from proxy.recording.stream_body import ResponseDraft
from proxy.sessions.sessions import Placement
from proxy.wire.routing import RawHeaders

# What one side of a call may hold on the event loop; more goes to the recorder while the call runs, so
# that a long stream is never held twice.
HANDED_OVER = 1 << 20
# What all sides may hold there together; past it those that still receive hand over more often.
HELD_BY_ALL = 32 << 20
HANDED_OVER_THEN = 16 << 10
# What an envelope takes in memory besides its headers: objects, ids, the ends of lists.
_ENVELOPE = 2048
_MS = 1_000_000


class Digest(Protocol):
    """A hash in the making."""

    def result(self) -> str:
        """Return it, hexadecimal; waits for it."""
        ...


class Held:
    """Bytes that sides hold on the event loop together."""

    def __init__(self) -> None:
        self.size = 0


_HELD = Held()


@dataclass(slots=True)
class Side:
    """The body of a request or of a response: pieces as they came, with the time of each."""

    pieces: list[bytes] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    directions: list[Direction] = field(default_factory=list)
    """Who sent each piece, where they are messages of a WebSocket; else empty."""
    held: int = 0
    size: int = 0
    first: int = 0
    """When the first piece came (monotonic ns); 0 while none has."""
    handed_over: bool = False
    omitted: OmitReason | None = None
    digest: Digest | None = None
    """The hash of a body that was let go, once another thread has made it."""
    all: Held = _HELD

    def __del__(self) -> None:
        """Count no more what a call held that was given up."""
        self.all.size -= self.held

    def add(self, piece: bytes, now: int) -> bool:
        """Keep a piece that arrived at ``now`` (monotonic ns); tell whether it is time to hand over."""
        self.size += len(piece)
        self.first = self.first or now
        if self.omitted == "queue_full":
            return False
        self.pieces.append(piece)
        self.times.append(now)
        self.held += len(piece)
        self.all.size += len(piece)
        most = HANDED_OVER if self.all.size <= HELD_BY_ALL else HANDED_OVER_THEN
        return self.held >= most

    def add_message(self, data: bytes, now: int, direction: Direction) -> bool:
        """``add`` for a message of a WebSocket; the first piece of an answer is the server's."""
        first = self.first
        is_due = self.add(data, now)
        if direction == "client":
            self.first = first
        if self.omitted != "queue_full":
            self.directions.append(direction)
        return is_due

    @property
    def sha256(self) -> str:
        """The hash of a body that was let go, hexadecimal; empty where not all of it was here. May wait."""
        return self.digest.result() if self.digest is not None else ""

    def omit(self) -> list[bytes]:
        """Let the body go, as the queue has no room for it; return it, if nothing was handed over before."""
        whole = [] if self.handed_over else self.pieces
        self.omitted = "queue_full"
        self.all.size -= self.held
        self.pieces, self.times, self.directions, self.held = [], [], [], 0
        return whole

    def settled(self, body: Bulk | Omitted) -> Bulk | Omitted:
        """Return a body for the record, unless it was let go here."""
        return body if self.omitted is None else Omitted(self.size, self.sha256, self.omitted)

    def take(self) -> Pieces:
        """Give away what is held."""
        taken = Pieces(self.pieces, self.times, self.held, self.directions)
        self.all.size -= self.held
        self.pieces, self.times, self.directions, self.held = [], [], [], 0
        self.handed_over = True
        return taken


@dataclass(slots=True)
class Capture:
    """One call. ``started`` and ``started_wall`` are the same moment on the two clocks, in ns.

    ``caller`` is a token's name, ``client`` the client's address.
    """

    request_id: str
    provider: str
    upstream: str
    method: str
    path: str
    query: str
    headers: RawHeaders
    started: int
    started_wall: int
    caller: str = ""
    client: str = ""
    connection: str = ""
    """Names the WebSocket that the call came on, for clients that name no session; else empty."""
    request: Side = field(default_factory=Side)
    response: Side = field(default_factory=Side)
    status: int = 0
    response_headers: RawHeaders = ()
    request_offered: bool = False
    left_out: bool = False
    placement: Placement | None = None
    """Set by the recorder, as are both drafts; nothing on the event loop reads them."""
    request_draft: RequestDraft | None = None
    response_draft: ResponseDraft | None = None

    def wall(self, monotonic: int) -> int:
        """Return the wall clock's nanoseconds at a moment of the monotonic clock."""
        return self.started_wall + monotonic - self.started

    def timing(self, ended: int) -> Timing:
        """Return the times of a call that ended at ``ended`` (monotonic ns)."""
        first = self.response.first or ended
        return Timing((first - self.started) // _MS, (ended - self.started) // _MS)

    def envelope_cost(self) -> int:
        """Return about how much memory the call's two records take without their bodies."""
        every = chain.from_iterable(chain(self.headers, self.response_headers))
        return _ENVELOPE + sum(map(len, every))


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call did not end well."""

    kind: ErrorKind
    message: str


@dataclass(frozen=True, slots=True)
class RequestPart:
    """Some of a request's body, while it still flows."""

    capture: Capture
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class RequestEnd:
    """The rest of a request's body. The ``STAMPS`` nanoseconds from ``ts`` on are its records'."""

    capture: Capture
    pieces: Pieces
    ts: int
    gap: int


@dataclass(frozen=True, slots=True)
class ResponsePart:
    """Some of a response's body, while it still flows."""

    capture: Capture
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class ResponseEnd:
    """The rest of a response's body, and how it ended at ``ended`` (monotonic ns)."""

    capture: Capture
    pieces: Pieces
    ts: int
    ended: int
    failure: Failure | None


Item = RequestPart | RequestEnd | ResponsePart | ResponseEnd
# A session_start, a fork and the request; before them the responses of calls that an end of the process
# interrupted, of which there are no more than connections.
STAMPS = 10_000


class Stamps:
    """Times that are unique and rise, whatever the clock does."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, now: int, count: int = 1) -> int:
        """Return the first of ``count`` consecutive nanoseconds, at ``now`` or after the last taken."""
        first = max(now, self._last + 1)
        self._last = first + count - 1
        return first
