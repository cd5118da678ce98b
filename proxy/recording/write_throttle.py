"""When the recorder's thread rests, so that what waited for a slow disk does not hold up calls."""

# Seconds. Disks that work take a few milliseconds for all that one flush writes.
_SLOW = 0.05
# An item takes a millisecond or so; after the few that take long, this lets the event loop catch up.
_LONGEST = 0.02


class Pace:
    """Spends what flushes stood still for on rests between the items after them; a fast disk gives none.

    A group of records in one burst takes the interpreter for tens of milliseconds. Rests as long as the work
    cost nothing behind a disk that takes longer than both.
    """

    def __init__(self) -> None:
        self._spare = 0.0

    def flushed(self, seconds: float) -> None:
        """Note for how long a flush stood still; what it worked, as for many new files, does not count."""
        self._spare = seconds if seconds > _SLOW else 0.0

    def rest(self, worked: float) -> float:
        """Return for how long to rest after an item that took so long, in seconds."""
        rest = min(worked, self._spare, _LONGEST)
        self._spare -= rest
        return rest
