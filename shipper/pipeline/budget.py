"""The limit on entries in memory: those that were read and are neither acknowledged nor rejected.

It counts entries and bytes. When either is used up, reading waits: the file is the queue.
"""

from shipper.entry import Entry

# Memory of the Python objects of one entry, its line excluded.
ENTRY_OVERHEAD = 1024
# Memory in use per byte of held lines, beside the line itself. An encoded push holds its lines once more,
# escaped, and then compressed. A line of megabytes was also read, cut and joined just before, and blocks of
# many sizes fragment the heap. More memory would not increase throughput.
_COPIES = 7


class Budget:
    """One account for read-ahead, batches and pushes in flight. The last line taken may exceed it."""

    def __init__(self, most_bytes: int, most_entries: int) -> None:
        self._most_bytes = most_bytes
        self._most_entries = most_entries
        self.held_bytes = 0
        self.held_entries = 0

    @property
    def has_room(self) -> bool:
        """Tell whether another line may be read."""
        return _COPIES * self.held_bytes < self._most_bytes and self.held_entries < self._most_entries

    def take(self, entry: Entry) -> None:
        """Count an entry that came into memory, as it is held: escaped it may be twice its size and more."""
        self.held_entries += 1
        self.held_bytes += len(entry.text) + ENTRY_OVERHEAD

    def give_back(self, entry: Entry) -> None:
        """Count an entry that is settled."""
        self.held_entries -= 1
        self.held_bytes -= len(entry.text) + ENTRY_OVERHEAD
