"""Pauses of the recorder's thread after a slow flush, so that the backlog does not delay calls."""

# Seconds. A healthy disk takes a few milliseconds per flush.
_SLOW = 0.05
# The longest pause, in seconds. Most items take about a millisecond; the few long ones delay the event loop.
_LONGEST = 0.02


class WriteThrottle:
    """Distributes the time that a slow flush took over pauses between the items after it.

    A burst of records would hold the interpreter for tens of milliseconds. Pauses as long as the work cost no
    throughput behind a disk that is slower than both. A fast disk causes no pauses.
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
