"""Gathers entries by stream until a batch is full or its first entry has waited long enough."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from shipper.entry import Entry, Pairs, size_of

# Loki accepts 4 MiB per message by default; its own clients send 1 MiB.
BATCH_BYTES = 1 << 20
# The heap keeps outdated items until it has this many per open batch; it is then rebuilt. This bounds its
# memory (a few hundred bytes per item), and rebuilding stays rare.
_PLACES = 8


@dataclass(slots=True)
class _Open:
    opened_at: float
    oldest: float = math.inf
    size: int = 0
    entries: list[Entry] = field(default_factory=list)


class Batcher:
    """The open batches, one per stream. A batch is due ``wait`` seconds after its first entry."""

    def __init__(self, most_entries: int, wait: float, most_bytes: int = BATCH_BYTES) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._wait = wait
        # In the order in which they were opened.
        self._open: dict[Pairs, _Open] = {}
        # A heap of (oldest timestamp, stream), so that each call looks at few of thousands of batches.
        self._oldest: list[tuple[float, Pairs]] = []

    def add(self, entries: Sequence[Entry], now: float) -> Iterator[list[Entry]]:
        """Take entries of one stream, and yield the batches that they complete."""
        stream, size = entries[0].stream, size_of(entries)
        batch = self._open.get(stream)
        held_size, held = (batch.size, len(batch.entries)) if batch else (0, 0)
        if held_size + size < self._most_bytes and held + len(entries) < self._most_entries:
            self._extend(stream, entries, size, now)
        else:
            for entry in entries:
                yield from self._add(entry, now)

    def _extend(self, stream: Pairs, entries: Sequence[Entry], size: int, now: float) -> None:
        batch = self._open.get(stream)
        if batch is None:
            batch = self._open[stream] = _Open(now)
        batch.entries.extend(entries)
        batch.size += size
        oldest = min([each.timestamp for each in entries])
        if oldest < batch.oldest:
            batch.oldest = oldest
            self._note_oldest(oldest, stream)

    def _add(self, entry: Entry, now: float) -> Iterator[list[Entry]]:
        """Take one entry, and yield the batches that it completes: the one it did not fit into, its own."""
        size = entry.size
        batch = self._open.get(entry.stream)
        if batch and batch.size + size > self._most_bytes:
            yield self._close(entry.stream)
        self._extend(entry.stream, (entry,), size, now)
        batch = self._open[entry.stream]
        if len(batch.entries) >= self._most_entries or batch.size >= self._most_bytes:
            yield self._close(entry.stream)

    def due(self, now: float, recorded_by: int = -1) -> Iterator[list[Entry]]:
        """Yield the batches whose first entry has waited long enough.

        Those with an entry stamped ``recorded_by`` or before, in nanoseconds, have waited in their file.
        """
        while self._open and now - self._first().opened_at >= self._wait:
            yield self._close(next(iter(self._open)))
        while self._oldest and self._oldest[0][0] <= recorded_by:
            oldest, stream = heappop(self._oldest)
            if stream in self._open and self._open[stream].oldest == oldest:
                yield self._close(stream)

    def flush(self) -> Iterator[list[Entry]]:
        """Yield every batch that has an entry."""
        for stream in list(self._open):
            yield self._close(stream)

    def next_due(self) -> float | None:
        """Return when the next batch will have waited long enough; None when none is open."""
        return self._first().opened_at + self._wait if self._open else None

    def _first(self) -> _Open:
        return next(iter(self._open.values()))

    def _note_oldest(self, oldest: float, stream: Pairs) -> None:
        """Keep the heap in proportion to what is open: a closed batch leaves its place there behind."""
        if len(self._oldest) > _PLACES * (len(self._open) + 1):
            self._oldest = [(batch.oldest, each) for each, batch in self._open.items()]
            heapify(self._oldest)
        else:
            heappush(self._oldest, (oldest, stream))

    def _close(self, stream: Pairs) -> list[Entry]:
        return self._open.pop(stream).entries
