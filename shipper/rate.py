"""How fast something goes, over the last minute."""

from collections import deque

# Long enough to even out single pushes, short enough to follow an outage.
_SECONDS = 60.0


class Rate:
    """Takes readings of a rising total; times are a monotonic clock's."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def per_second(self, total: int, now: float) -> float:
        """Note the total, and return its rise a second since the oldest reading within a minute."""
        self._readings.append((now, total))
        while self._readings[0][0] < now - _SECONDS:
            self._readings.popleft()
        since, before = self._readings[0]
        return (total - before) / (now - since) if now > since else 0.0
