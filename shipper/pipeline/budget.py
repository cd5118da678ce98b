"""The limit on entries in memory: those that were read and are neither acknowledged nor rejected.

It counts entries and bytes. When either is used up, reading waits: the file is the queue.
"""

from collections.abc import Collection

from shipper.entry import Entry

# Memory of the Python objects of one entry, its line excluded.
ENTRY_OVERHEAD = 1024
# Memory in use per byte of held lines, beside the line itself. An encoded push holds its lines once more,
# escaped, and then compressed. A line of megabytes was also read, cut and joined just before, and blocks of
# many sizes fragment the heap. More memory would not increase throughput.
_COPIES = 7


class Budget:
    """One account for read-ahead, batches and pushes in flight. The last run of lines taken may exceed it."""

    def __init__(self, most_bytes: int, most_entries: int) -> None:
        self._most_bytes = most_bytes
        self._most_entries = most_entries
        self.held_bytes = 0
        self.held_entries = 0

    @property
    def has_room(self) -> bool:
        """Tell whether another line may be read."""
        return self.room_bytes > 0 and self.room_entries > 0

    @property
    def room_entries(self) -> int:
        """How many more entries may come."""
        return self._most_entries - self.held_entries

    @property
    def room_bytes(self) -> int:
        """How many more bytes of lines may come."""
        return self._most_bytes // _COPIES - self.held_bytes

    def take(self, entries: Collection[Entry]) -> None:
        """Count entries that came into memory, as they are held: escaping can double a line and more."""
        self.held_entries += len(entries)
        self.held_bytes += _held(entries)

    def give_back(self, entries: Collection[Entry]) -> None:
        """Count entries that are settled."""
        self.held_entries -= len(entries)
        self.held_bytes -= _held(entries)


def _held(entries: Collection[Entry]) -> int:
    return sum([len(each.text) for each in entries]) + ENTRY_OVERHEAD * len(entries)
