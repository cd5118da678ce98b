"""From a decoded push to the ingester: limits, added fields, shards, rates (pkg/distributor)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.fakes.loki.entry import (
    Entry,
    Labels,
    MetadataNameError,
    Shard,
    Stream,
    entry_size,
    label_text,
    sanitised_name,
)
from tests.fakes.loki.ingester import SHARD_LABEL, Ingester
from tests.fakes.loki.level import detected, normalised
from tests.fakes.loki.limits import Limits
from tests.fakes.loki.protobuf import size_of
from tests.fakes.loki.rate import TokenBucket
from tests.fakes.loki.times import NANOS, rfc3339
from tests.fakes.loki.validation import Problem, entry_problem, label_problem

_SERVICE = "service_name"
_LEVEL = "detected_level"
_MB = 1024 * 1024


class Outcome(NamedTuple):
    """How a push is answered."""

    status: int
    text: str = ""


@dataclass
class Counts:
    """What ``/metrics`` tells of one tenant."""

    lines_received: int = 0
    bytes_received: int = 0
    discarded: Counter[str] = field(default_factory=Counter)
    pushes: Counter[int] = field(default_factory=Counter)
    shardings: int = 0


class Distributor:
    """One tenant's way in."""

    def __init__(self, tenant: str) -> None:
        self.counts = Counts()
        self.ingester = Ingester(tenant, self.counts.discarded)
        self._tenant = tenant
        self._bucket: TokenBucket | None = None
        self._next_shard: Counter[Labels] = Counter()

    def push(self, streams: list[Stream], limits: Limits, now: int) -> Outcome:
        """Take a push; ``now`` is in nanoseconds."""
        if not streams:
            return Outcome(422, "error at least one valid stream is required for ingestion")
        self._count_received(streams)
        if limits.block_ingestion_until > now / NANOS:
            return self._blocked(streams, limits)
        problems: list[str] = []
        try:
            shards = [shard for each in streams for shard in self._shards(each, limits, now, problems)]
        except MetadataNameError as exc:
            return Outcome(500, str(exc))
        verdict = Outcome(400, _grouped(problems)) if problems else Outcome(204)
        return (self._forward(shards, limits, now) if shards else None) or verdict

    def _count_received(self, streams: list[Stream]) -> None:
        for stream in streams:
            self.counts.lines_received += len(stream.entries)
            self.counts.bytes_received += sum(map(entry_size, stream.entries))

    def _blocked(self, streams: list[Stream], limits: Limits) -> Outcome:
        self.counts.discarded["blocked_ingestion"] += sum(len(each.entries) for each in streams)
        status = limits.block_ingestion_status_code
        until = rfc3339(int(limits.block_ingestion_until * NANOS))
        text = f"ingestion blocked for user {self._tenant} until '{until}' with status code '{status}'"
        # Configured as 200, it looks like success (distributor.go:675).
        return Outcome(204) if status == 200 else Outcome(status, text)

    def _shards(self, stream: Stream, limits: Limits, now: int, problems: list[str]) -> list[Shard]:
        """Return what goes to the ingester of one stream, and add what is refused here to ``problems``."""
        labels = _with_service_name(stream.labels, limits)
        problem = label_problem(labels, limits) if stream.entries else None
        if problem:
            self._discard(problem, len(stream.entries), problems)
            self.counts.discarded["invalid_labels"] += len(stream.entries)
            return []
        entries = list(self._valid_entries(labels, stream.entries, limits, now, problems))
        return self._sharded(labels, entries, limits, now) if entries else []

    def _discard(self, problem: Problem, entries: int, problems: list[str]) -> None:
        problems.append(problem.text)
        self.counts.discarded[problem.reason] += entries

    def _valid_entries(
        self, labels: Labels, entries: list[Entry], limits: Limits, now: int, problems: list[str]
    ) -> Iterator[tuple[Entry, int]]:
        previous, run = None, None
        named = dict(labels)
        for sent in entries:
            entry = _truncated(sent, limits) if limits.max_line_size_truncate else sent
            problem = entry_problem(labels, entry, limits, now)
            if problem:
                self._discard(problem, 1, problems)
                continue
            made = _completed(named, entry, limits)
            if limits.increment_duplicate_timestamp:
                made, run = _incremented(made, previous, run)
            previous = made
            yield made, entry_size(made)

    def _sharded(
        self, labels: Labels, entries: list[tuple[Entry, int]], limits: Limits, now: int
    ) -> list[Shard]:
        count = limits.shards or 1
        if limits.shard_streams and not limits.shards:
            size = sum(each for _, each in entries)
            rate = self.ingester.rate(labels, now)
            count = rate.shards(size, limits.shard_streams_desired_rate, now / NANOS)
        if count <= 1:
            return [Shard(labels, labels, entries)]
        self.counts.shardings += 1
        used = min(count, len(entries))
        first = self._next_shard[labels]
        self._next_shard[labels] += used
        return [
            Shard(_shard_labels(labels, (first + index) % count), labels, entries[index::used])
            for index in range(used)
        ]

    def _forward(self, shards: list[Shard], limits: Limits, now: int) -> Outcome | None:
        lines = sum(len(shard.entries) for shard in shards)
        size = sum(each for shard in shards for _, each in shard.entries)
        rate = limits.ingestion_rate_mb * _MB
        if not self._within_rate(size, limits, now):
            self.counts.discarded["rate_limited"] += lines
            return Outcome(
                429,
                f"ingestion rate limit exceeded for user {self._tenant} (limit: {int(rate)} bytes/sec) while "
                f"attempting to ingest '{lines}' lines totaling '{size}' bytes, reduce log volume or contact "
                "your Loki administrator to see if the limit can be increased",
            )
        message = sum(size_of(len(label_text(shard.labels)), shard.entries) for shard in shards)
        most = limits.grpc_server_max_recv_msg_size
        if message > most:
            return Outcome(500, exhausted(message, most))
        refusal = self.ingester.push(shards, limits, now)
        return Outcome(*refusal) if refusal else None

    def _within_rate(self, size: int, limits: Limits, now: int) -> bool:
        rate, burst = limits.ingestion_rate_mb * _MB, limits.ingestion_burst_size_mb * _MB
        if self._bucket is None:
            self._bucket = TokenBucket(rate, burst, now / NANOS)
        self._bucket.rate, self._bucket.burst = rate, burst
        return self._bucket.allow(size, now / NANOS)


def exhausted(size: int, most: int) -> str:
    """Return the text of a gRPC message that is too large."""
    return (
        "rpc error: code = ResourceExhausted desc = grpc: received message larger than max "
        f"({size} vs. {most})"
    )


def _grouped(problems: list[str]) -> str:
    """Join errors as Loki's GroupedErrors does."""
    counted = Counter(problems)
    texts = [text if count == 1 else f"{count} errors like: {text}" for text, count in counted.items()]
    opening = f"{len(texts)} errors: " if len(texts) > 1 else ""
    return opening + "; ".join(texts)


def _with_service_name(labels: Labels, limits: Limits) -> Labels:
    named = dict(labels)
    if _SERVICE in named or not limits.discover_service_name:
        return labels
    found = next((named[name] for name in limits.discover_service_name if name in named), "unknown_service")
    return tuple(sorted((*labels, (_SERVICE, found))))


def _shard_labels(labels: Labels, number: int) -> Labels:
    return tuple(sorted((*labels, (SHARD_LABEL, str(number)))))


def _truncated(entry: Entry, limits: Limits) -> Entry:
    return entry._replace(line=entry.line.encode()[: limits.max_line_size].decode(errors="ignore"))


def _completed(labels: dict[str, str], entry: Entry, limits: Limits) -> Entry:
    """Sanitise the metadata's names and add the level."""
    metadata = {sanitised_name(name): value for name, value in entry.metadata}
    if limits.allow_structured_metadata and limits.discover_log_levels:
        if _LEVEL in metadata:
            metadata[_LEVEL] = normalised(metadata[_LEVEL])
        else:
            metadata[_LEVEL] = detected(labels, metadata, entry.line)
    return Entry(entry.ts, entry.line, tuple(sorted(metadata.items())))


def _incremented(entry: Entry, previous: Entry | None, run: int | None) -> tuple[Entry, int | None]:
    """Move an entry behind the one before it if both have one time and differ (distributor.go:745-758)."""
    if previous and previous.line != entry.line and entry.ts in (run, previous.ts):
        return entry._replace(ts=previous.ts + 1), run
    return entry, entry.ts
