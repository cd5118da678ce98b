"""Entries of one stream gathered until there are enough of them, or the first has waited long enough."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from shipper.entry import Entry, Pairs

# Loki takes 4 MiB a message by default; 1 MiB is what its own clients send.
BATCH_BYTES = 1 << 20


@dataclass(slots=True)
class _Open:
    opened_at: float
    oldest: int
    size: int = 0
    entries: list[Entry] = field(default_factory=list)


class Batcher:
    """The batches that are being filled, one a stream; ``wait`` is in seconds."""

    def __init__(self, most_entries: int, wait: float, most_bytes: int = BATCH_BYTES) -> None:
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._wait = wait
        self._open: dict[Pairs, _Open] = {}

    def add(self, entry: Entry, now: float) -> Iterator[list[Entry]]:
        """Take an entry, and yield the batches that it completes: the one it did not fit into, its own."""
        size = entry.size
        batch = self._open.get(entry.stream)
        if batch and batch.size + size > self._most_bytes:
            yield self._close(entry.stream)
            batch = None
        if batch is None:
            batch = self._open[entry.stream] = _Open(now, entry.timestamp)
        batch.entries.append(entry)
        batch.size += size
        batch.oldest = min(batch.oldest, entry.timestamp)
        if len(batch.entries) >= self._most_entries or batch.size >= self._most_bytes:
            yield self._close(entry.stream)

    def due(self, now: float, recorded_by: int = -1) -> Iterator[list[Entry]]:
        """Yield the batches whose first entry has waited long enough.

        Those with an entry stamped ``recorded_by`` or before, in nanoseconds, have waited in their file.
        """
        for stream, batch in list(self._open.items()):
            if now - batch.opened_at >= self._wait or batch.oldest <= recorded_by:
                yield self._close(stream)

    def flush(self) -> Iterator[list[Entry]]:
        """Yield every batch that has an entry."""
        for stream in list(self._open):
            yield self._close(stream)

    def next_due(self) -> float | None:
        """Return when the next batch will have waited long enough; None when none is open."""
        opened = [batch.opened_at for batch in self._open.values()]
        return min(opened) + self._wait if opened else None

    def _close(self, stream: Pairs) -> list[Entry]:
        return self._open.pop(stream).entries
