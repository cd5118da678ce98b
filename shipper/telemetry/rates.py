"""How fast delivery goes: its rate over the last minute, and a point every few seconds for a chart."""

from collections import deque
from typing import NamedTuple

_STEP_SECONDS = 10.0
# A quarter of an hour: long enough to see an outage begin, short enough to see single pushes.
_POINTS = 90
# Long enough to even out single pushes, short enough to follow an outage.
_WINDOW_SECONDS = 60.0


class Point(NamedTuple):
    """Up to ``at``, in seconds since 1970: what was settled a second, and what was left then."""

    at: int
    bytes_per_second: float
    lag_bytes: int


class History:
    """Takes readings of a rising total; ``now`` is a monotonic clock's, ``wall`` is since 1970."""

    def __init__(self) -> None:
        self._points: deque[Point] = deque(maxlen=_POINTS)
        self._since: float | None = None
        self._total = 0
        self.points: tuple[Point, ...] = ()

    def note(self, total: int, lag_bytes: int, now: float, wall: float) -> None:
        """Note the bytes settled so far and those left; readings between two points are passed over."""
        if self._since is None:
            self._since, self._total = now, total
        elif now - self._since >= _STEP_SECONDS:
            rate = (total - self._total) / (now - self._since)
            self._points.append(Point(int(wall), round(rate, 1), lag_bytes))
            self._since, self._total = now, total
            self.points = tuple(self._points)


class Rate:
    """Takes readings of a rising total; times are a monotonic clock's."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def per_second(self, total: int, now: float) -> float:
        """Note the total, and return its rise a second since the oldest reading within a minute."""
        self._readings.append((now, total))
        while self._readings[0][0] < now - _WINDOW_SECONDS:
            self._readings.popleft()
        since, before = self._readings[0]
        return (total - before) / (now - since) if now > since else 0.0
