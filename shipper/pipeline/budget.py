"""How much may be in memory: entries that were read and are not settled, by number and by bytes.

When it is used up, reading waits: the file is the queue.
"""

from shipper.entry import Entry

# What an entry takes beside its line: the objects that carry it.
ENTRY_OVERHEAD = 1024
# A line on its way is there escaped, and compressed in its push; one of megabytes was read, cut and joined
# just before, and blocks of so many sizes leave gaps. Twice the room makes no push larger and no answer
# sooner.
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
