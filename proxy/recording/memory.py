"""The memory that the bodies of all running calls may take together."""

# Bodies that the recorder holds to parse them, or until their call ends. With the queue and what the event
# loop holds, the process stays below 300 MB whatever clients and providers send.
DRAFTS = 48 << 20
# Whatever others hold, a draft may have so much: a file for each short body would cost more than it saves.
SMALL = 16 << 10


class Memory:
    """Bytes that are held, against a bound. Belongs to one thread."""

    def __init__(self, limit: int = DRAFTS) -> None:
        self._limit = limit
        self.held = 0

    def share(self) -> "Share":
        """Return the share of one body."""
        return Share(self)

    def has_room(self, size: int) -> bool:
        """Tell whether so much more may be held."""
        return self.held + size <= self._limit


class Share:
    """What one body holds; it is given back with the body at the latest, however its call ends."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._held = 0

    def grow(self, size: int) -> bool:
        """Hold ``size`` bytes in all, if there is room; tell whether there is."""
        if size > SMALL and not self._memory.has_room(size - self._held):
            return False
        self._memory.held += size - self._held
        self._held = size
        return True

    def release(self) -> None:
        """Hold nothing."""
        self._memory.held -= self._held
        self._held = 0

    def __del__(self) -> None:
        """Give back what a body held that was never finished."""
        self.release()
