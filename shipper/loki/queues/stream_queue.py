"""The queue of one stream: which of its entries may leave together.

A 204 is true only for a push of which Loki cannot refuse a part: where a busy stream is sharded, the last
shard decides the status. So only entries of which it is known that Loki takes them travel together; each of
the others travels alone.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import takewhile

import msgspec

from shipper.entry import Entry, Pairs, size_of
from shipper.loki.push.push import Push
from shipper.loki.queues.rate_limit import LARGEST_PUSH, RateLimit

# Loki refuses what is an hour behind its stream's newest entry (``pkg/ingester/stream.go``, half of
# ``max_chunk_age``); pushes in flight beside each other may be half of that apart.
_NANOSECONDS = 1_000_000_000
SAFE_NANOSECONDS = 30 * 60 * _NANOSECONDS
BEHIND_NANOSECONDS = 2 * SAFE_NANOSECONDS
LATE = "late"


@dataclass(slots=True)
class StreamQueue:
    """What waits and what is in flight of one stream; no push has more than ``most_entries``.

    ``newest`` and ``oldest`` are the times between which Loki has acknowledged entries in this process.
    ``deferred`` pushes wait for a time of their own and hold up nothing else; ``behind`` are entries that
    Loki would refuse in this stream for certain. ``shut`` tells that Loki had no room for this stream when
    it was asked last: one entry tries again, and all the others wait for that. Entries before
    ``oldest_accepted`` are put in ``too_old``: Loki would reject each of them. ``too_new_from`` is the time
    of the earliest entry that is too new for Loki; it tries again, and those in ``ahead`` wait for it. A push
    has ``most_bytes`` at most, if it has several entries.
    """

    stream: Pairs
    most_entries: int
    batches: deque[list[Entry]] = field(default_factory=deque)
    doubtful: deque[Entry] = field(default_factory=deque)
    repeats: deque[Push] = field(default_factory=deque)
    deferred: list[Push] = field(default_factory=list)
    behind: list[Entry] = field(default_factory=list)
    in_flight: dict[int, Push] = field(default_factory=dict)
    newest: int | None = None
    oldest: int = 0
    shut: bool = False
    rate: RateLimit = field(default_factory=RateLimit)
    ahead: list[Entry] = field(default_factory=list)
    oldest_accepted: int = 0
    too_old: list[Entry] = field(default_factory=list)
    too_new_from: int | None = None
    most_bytes: int = LARGEST_PUSH

    @property
    def is_late(self) -> bool:
        """Tell whether this stream takes what is behind another."""
        return any(name == LATE for name, _ in self.stream)

    @property
    def empty(self) -> bool:
        """Tell whether nothing waits and nothing is in flight."""
        waiting = self.batches or self.doubtful or self.repeats or self.deferred or self.ahead
        return not (waiting or self.in_flight)

    @property
    def failing(self) -> Iterable[Push]:
        """Pushes that fail while those of other streams may succeed."""
        tries = (*self.repeats, *self.in_flight.values()) if self.shut else ()
        return (push for push in (*self.deferred, *tries) if push.attempts)

    @property
    def set_aside(self) -> int:
        """How many entries hold up no other stream."""
        pushes = [*self.deferred, *self.in_flight.values()]
        if self.shut:
            waiting = len(self.doubtful) + sum(map(len, self.batches))
            return waiting + sum(len(push.entries) for push in (*pushes, *self.repeats))
        deferred = sum(len(push.entries) for push in pushes if push.deferred and not push.verify)
        return deferred + len(self.ahead)

    def acknowledged(self, entries: Iterable[Entry]) -> None:
        """Note the times that Loki has taken."""
        times = [entry.timestamp for entry in entries]
        if self.too_new_from is not None and max(times) >= self.too_new_from:
            self._release()
        self.oldest = min(times) if self.newest is None else min(self.oldest, *times)
        self.newest = max(times) if self.newest is None else max(self.newest, *times)

    def hold_back(self, push: Push, until: float) -> None:
        """Let an entry that is too new wait, and with it all later ones."""
        time = push.entries[0].timestamp
        self.deferred.append(replace(push, attempts=push.attempts + 1, deferred=True, not_before=until))
        self.too_new_from = time if self.too_new_from is None else min(time, self.too_new_from)

    def _release(self) -> None:
        """Let entries go on that were too new: Loki's clock has come to the first of them."""
        self.too_new_from = None
        self.batches.extend([entry] for entry in sorted(self.ahead, key=_time))
        self.ahead = []

    def doubt(self, entries: Iterable[Entry]) -> None:
        """Send these alone from now on."""
        self.doubtful.extend(entries)

    def next_push(
        self, now: float, most_bytes: int = LARGEST_PUSH, *, may_verify: bool = True
    ) -> Push | None:
        """Take what may leave now, as a push that has no number yet if it is a new one; None if nothing may.

        A new push has ``most_bytes`` at most; a verification may leave if ``may_verify``.

        Only one push of a stream is in flight. Of two at once Loki may log the later one first, and then it
        drops the other when it reads its log again after a restart, though it has said 204 to both
        (``pkg/ingester``: ``entryCt`` in ``stream.go``, ``wal.Log`` after the lock in ``instance.go``).
        """
        self.most_bytes = min(most_bytes, self.rate.largest)
        for push in list(self.deferred):
            if push.not_before <= now and (may_verify if push.verify else not self._is_pushing()):
                self.deferred.remove(push)
                if push.verify or not all(map(self._is_behind, push.entries)):
                    return push
                self.behind.extend(push.entries)
        if now < self.rate.ready_at() or self._is_held():
            return None
        if self.repeats:
            return self._next_repeat(now) if may_verify or not self.repeats[0].verify else None
        return self._next_alone() or self._next_batch()

    def _is_pushing(self) -> bool:
        return any(not each.verify for each in self.in_flight.values())

    def _is_held(self) -> bool:
        """Tell whether only an answer lets the next push leave."""
        return any(not (each.verify and each.deferred) for each in self.in_flight.values())

    def next_ready(self) -> float | None:
        """Return the earliest time at which waiting alone makes something ready; None if none will."""
        times = [push.not_before for push in self.deferred]
        if self.repeats and not self.in_flight:
            times.append(max(self.rate.ready_at(), self.repeats[0].not_before))
        elif (self.batches or self.doubtful) and not self._is_held():
            times.append(self.rate.ready_at())
        return min(times) if times else None

    def _next_repeat(self, now: float) -> Push | None:
        if self.in_flight or self.repeats[0].not_before > now:
            return None
        push = self.repeats.popleft()
        if push.verify or len(push.entries) == 1:
            return push
        fits = push.attempts or push.size <= self.most_bytes
        if fits and self._are_safe(push.entries):
            return push
        self.batches.appendleft(list(push.entries))
        return self.next_push(now, self.most_bytes)

    def _next_alone(self) -> Push | None:
        while self.doubtful:
            entry = self.doubtful.popleft()
            if self._is_set_aside(entry):
                continue
            if self._is_behind(entry):
                self.behind.append(entry)
            else:
                return Push(0, self.stream, (entry,))
        return None

    def _next_batch(self) -> Push | None:
        """Send what is safe together; an earliest entry in doubt goes alone: its answer tells of others."""
        while self.batches:
            joined = self._joined_batches()
            if self.too_new_from is None and size_of(joined) <= self.most_bytes and self._are_safe(joined):
                return Push(0, self.stream, tuple(joined))
            entries = sorted(self._in_turn(joined), key=_time)
            safe = self._fitting(takewhile(self._is_safe, entries))
            leaving = safe or entries[:1]
            if len(leaving) < len(entries):
                self.batches.appendleft(entries[len(leaving) :])
            if leaving:
                return Push(0, self.stream, tuple(leaving))
        return None

    def _joined_batches(self) -> list[Entry]:
        """Take the first batch, and what came while it waited for its turn as far as it fits."""
        joined = self.batches.popleft()
        size = size_of(joined)
        while self.batches and len(joined) + len(self.batches[0]) <= self.most_entries:
            size += size_of(self.batches[0])
            if size > self.most_bytes:
                break
            joined = [*joined, *self.batches.popleft()]
        return joined

    def _fitting(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the first entries that fit into one push, at least one if there is any."""
        fitting: list[Entry] = []
        size = 0
        for entry in entries:
            size += entry.size
            if fitting and size > self.most_bytes:
                break
            fitting.append(entry)
        return fitting

    def _in_turn(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries that Loki may accept here; the others are put where they wait."""
        kept: list[Entry] = []
        for entry in entries:
            if not self._is_set_aside(entry):
                (self.behind if self._is_behind(entry) else kept).append(entry)
        return kept

    def _is_set_aside(self, entry: Entry) -> bool:
        """Put an entry aside that Loki would reject as too old or too new, and tell whether it is one."""
        if entry.timestamp < self.oldest_accepted:
            self.too_old.append(entry)
            return True
        if self.too_new_from is not None and entry.timestamp >= self.too_new_from:
            self.ahead.append(entry)
            return True
        return False

    def _is_behind(self, entry: Entry) -> bool:
        """Tell whether Loki has taken what lets it find this entry too far behind."""
        known = self.newest is not None and not self.is_late
        return known and entry.timestamp < (self.newest or 0) - BEHIND_NANOSECONDS

    def _is_safe(self, entry: Entry) -> bool:
        """Tell whether Loki cannot find this entry too far behind.

        Not below what it has taken in this process, as another process may have taken its stream further.
        """
        return self._are_safe((entry,))

    def _are_safe(self, entries: Iterable[Entry]) -> bool:
        if self.newest is None:
            return False
        times = [each.timestamp for each in entries]
        earliest = max(self.oldest, self.newest - SAFE_NANOSECONDS)
        return earliest <= min(times) and max(times) <= self.newest + SAFE_NANOSECONDS


def _time(entry: Entry) -> int:
    return entry.timestamp


def as_late(entry: Entry) -> Entry:
    """Return the entry in a stream of its own hour, which has not moved on yet."""
    hour = datetime.fromtimestamp(entry.timestamp // _NANOSECONDS, UTC).strftime("%Y-%m-%dT%H")
    stream = (*entry.stream, (LATE, hour))
    return msgspec.structs.replace(entry, stream=tuple(sorted(stream)))
