"""Streams in memory: what is accepted, what is a copy, what is told (pkg/ingester/stream.go)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.fakes.loki.entry import Entry, Labels, Shard, label_text
from tests.fakes.loki.limits import Limits, size_text
from tests.fakes.loki.rate import StreamRate, TokenBucket
from tests.fakes.loki.times import NANOS, go_time, rfc3339

SHARD_LABEL = "__stream_shard__"


class Refusal(NamedTuple):
    """A status and a text."""

    status: int
    text: str


class FailedEntry(NamedTuple):
    """An entry that its stream refused, and why; ``reason`` is the metric's label."""

    entry: Entry
    reason: str
    text: str


@dataclass
class MemoryStream:
    """One stream: distinct entries with the number of physical copies, and what decides on new ones."""

    labels: Labels
    bucket: TokenBucket
    copies: dict[Entry, int] = field(default_factory=dict)
    newest: int | None = None
    last: Entry | None = None
    head: set[Entry] = field(default_factory=set)
    head_size: int = 0
    flushed: set[Entry] = field(default_factory=set)

    @property
    def text(self) -> str:
        return label_text(self.labels)

    def forget(self, gone: set[Entry]) -> None:
        """Lose entries, as an ingester does whose disk was full before it was killed."""
        for entry in gone:
            self.copies.pop(entry, None)
        self.head -= gone
        self.flushed -= gone
        if self.last in gone:
            self.last = None

    def store(self, entry: Entry, size: int, limits: Limits) -> None:
        """Keep an entry; one that is still in the head block is skipped."""
        self.last = entry
        self.newest = entry.ts if self.newest is None else max(self.newest, entry.ts)
        if entry in self.head or not limits.keep_lines:
            return
        if self.head_size + size > limits.chunk_block_size:
            self.head, self.head_size = set(), 0
        self.head.add(entry)
        self.head_size += size
        self.copies[entry] = self.copies.get(entry, 0) + 1


class Ingester:
    """One tenant's streams."""

    def __init__(self, tenant: str, discarded: Counter[str]) -> None:
        self._tenant = tenant
        self._discarded = discarded
        self._rates: dict[Labels, StreamRate] = {}
        self.streams: dict[Labels, MemoryStream] = {}

    def rate(self, labels: Labels, now: int) -> StreamRate:
        """Return the rate of a stream over all its shards."""
        return self._rates.setdefault(labels, StreamRate(now / NANOS))

    def push(self, shards: list[Shard], limits: Limits, now: int) -> Refusal | None:
        """Store stream by stream; the last one alone decides the answer (instance.go:226-280)."""
        refusal = None
        for shard in shards:
            held = self._stream(shard.labels, limits, now)
            if isinstance(held, Refusal):
                self._discarded["stream_limit"] += len(shard.entries)
                refusal = held
            else:
                refusal = self._push_stream(held, shard, limits, now)
        return refusal

    def _stream(self, labels: Labels, limits: Limits, now: int) -> MemoryStream | Refusal:
        held = self.streams.get(labels)
        if held is None and len(self.streams) >= limits.max_global_streams_per_user:
            return Refusal(
                429,
                "maximum active stream limit exceeded when trying to create stream "
                f"{label_text(labels)}, reduce the number of active streams (reduce labels or reduce label "
                "values), or contact your Loki administrator to see if the limit can be increased, "
                f"user: '{self._tenant}'",
            )
        rate, burst = limits.per_stream_rate_limit, limits.per_stream_rate_limit_burst
        if held is None:
            held = MemoryStream(labels, TokenBucket(rate, burst, now / NANOS))
            self.streams[labels] = held
        held.bucket.rate, held.bucket.burst = rate, burst
        return held

    def _push_stream(self, held: MemoryStream, shard: Shard, limits: Limits, now: int) -> Refusal | None:
        accepted, failed, seen = self._sorted_out(held, shard, limits, now)
        self.rate(shard.unsharded, now).record(seen, now / NANOS)
        if limits.shard_streams and not held.bucket.allow(sum(size for _, size in accepted), now / NANOS):
            failed = [_rate_limited(held, entry, size, limits) for entry, size in accepted]
            accepted = []
        for entry, size in accepted:
            held.store(entry, size, limits)
        for each in failed:
            self._discarded[each.reason] += 1
        return self._told(held, failed, len(shard.entries), limits) if failed else None

    def _sorted_out(
        self, held: MemoryStream, shard: Shard, limits: Limits, now: int
    ) -> tuple[list[tuple[Entry, int]], list[FailedEntry], int]:
        """Return entries to store, entries refused, and the bytes of both (stream.go, validateEntries)."""
        accepted: list[tuple[Entry, int]] = []
        failed: list[FailedEntry] = []
        seen, newest, last = 0, held.newest, held.last
        for entry, size in shard.entries:
            if entry == last:
                continue
            seen += size
            problem = _over_rate(held, entry, size, limits, now) or _too_far_behind(entry, newest, limits)
            if problem:
                failed.append(problem)
                continue
            last = entry
            newest = entry.ts if newest is None else max(newest, entry.ts)
            accepted.append((entry, size))
        return accepted, failed, seen

    def _told(self, held: MemoryStream, failed: list[FailedEntry], total: int, limits: Limits) -> Refusal:
        status = 429 if failed[-1].reason == "per_stream_rate_limit" else 400
        shown = failed[: limits.max_returned_stream_errors or None]
        lines = "".join(
            f"entry with timestamp {go_time(each.entry.ts)} ignored, reason: '{each.text}',\n"
            for each in shown
        )
        ignored = f"total ignored: {len(failed)} out of {total}"
        return Refusal(status, f"{lines}user '{self._tenant}', {ignored} for stream: {held.text}")

    def flush(self) -> None:
        """Make old-stamped entries visible to queries."""
        for stream in self.streams.values():
            stream.flushed.update(stream.copies)

    def visible(self, stream: MemoryStream, limits: Limits, now: int) -> Iterator[tuple[Entry, int]]:
        """Yield what a query sees, with the number of copies."""
        back = limits.query_store_max_look_back_period
        oldest = now - int(back * NANOS)
        for entry, count in stream.copies.items():
            if back < 0 or entry.ts >= oldest or entry in stream.flushed:
                yield entry, count


def _over_rate(held: MemoryStream, entry: Entry, size: int, limits: Limits, now: int) -> FailedEntry | None:
    """Without sharding every entry is decided by itself, and takes its tokens."""
    if limits.shard_streams or held.bucket.allow(size, now / NANOS):
        return None
    return _rate_limited(held, entry, size, limits)


def _too_far_behind(entry: Entry, newest: int | None, limits: Limits) -> FailedEntry | None:
    if newest is None:
        return None
    cutoff = newest - int(limits.max_chunk_age / 2 * NANOS)
    if entry.ts >= cutoff:
        return None
    text = f"entry too far behind, entry timestamp is: {rfc3339(entry.ts)}, "
    return FailedEntry(entry, "too_far_behind", f"{text}oldest acceptable timestamp is: {rfc3339(cutoff)}")


def _rate_limited(held: MemoryStream, entry: Entry, size: int, limits: Limits) -> FailedEntry:
    return FailedEntry(
        entry,
        "per_stream_rate_limit",
        f"Per stream rate limit exceeded (limit: {size_text(limits.per_stream_rate_limit)}/sec) while "
        f"attempting to ingest for stream '{held.text}' totaling {size_text(size)}, consider splitting a "
        "stream via additional labels or contact your Loki administrator to see if the limit can be "
        "increased",
    )
