"""The push rate after Loki answered 429.

There is no limit until the first 429. A token bucket then limits the rate to slightly less than the limit in
Loki's answer. The rate rises slowly while pushes succeed (additive increase, multiplicative decrease, as in
TCP). After ten minutes without a 429 there is no limit again, because Loki's may have been raised.
"""

# Loki measures the rate across its cluster, so the measurement varies: stay slightly below the limit.
_SHARE_OF_LIMIT = 0.9
# The rate if the answer names no limit: a quarter of Loki's default of 4 MB/s.
_UNKNOWN_LIMIT = float(1 << 20)
_SLOWER = 0.5
_SLOWEST = 64.0 * 1024
# Pushes in flight at the same time are refused together: 429s within this time lower the rate once.
_SAME_EVENT_SECONDS = 1.0
# The increase per second of successful pushes: half the limit is regained in about 30 s.
_FASTER_PER_SECOND = 0.02
# Time after which the limit is probed: an unchanged one costs one or two 429s, a raised one is detected.
_FORGOTTEN_SECONDS = 600.0
# Loki's parts exchange 4 MiB at most by default; labels and framing fit into the rest.
LARGEST_PUSH = 7 << 19
# A burst below this would refuse single lines too.
_SMALLEST_PUSH = 64 << 10
_SMALLEST_PUSH_AMONG_OTHERS = 512 << 10


class RateLimit:
    """A token bucket; rates are in bytes per second, times are from a monotonic clock.

    ``largest`` is how many bytes one push may have.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.largest = LARGEST_PUSH
        self._most = 0.0
        self._free_at = 0.0
        self._raised_at = 0.0
        self._slowed_at = 0.0

    def ready_at(self) -> float:
        """Return when the next push may leave."""
        return self._free_at

    def spend(self, size: int, now: float) -> None:
        """Count a push that leaves now."""
        if self.rate is not None:
            self._free_at = max(now, self._free_at) + size / self.rate

    def slow_down(self, limit: float | None, size: int, now: float) -> None:
        """React to a 429: ``limit`` is the one printed, ``size`` the push's bytes."""
        ceiling = (limit or _UNKNOWN_LIMIT) * _SHARE_OF_LIMIT
        if self.rate is None:
            self.rate = ceiling
        elif now - self._slowed_at >= _SAME_EVENT_SECONDS:
            self.rate = max(_SLOWEST, min(self.rate * _SLOWER, ceiling))
        self._most = ceiling
        self._slowed_at = now
        self._free_at = now + size / self.rate
        self._raised_at = now

    def lower_burst(self, size: int, *, alone: bool) -> None:
        """Send smaller pushes after a 429 to one of ``size`` bytes: no answer names the burst.

        A push that was ``alone`` met the burst; among others it may have met the rate alone.
        """
        least = _SMALLEST_PUSH if alone else _SMALLEST_PUSH_AMONG_OTHERS
        self.largest = min(self.largest, max(least, size // 2))

    def speed_up(self, now: float) -> None:
        """React to a success."""
        if now - self._slowed_at >= _FORGOTTEN_SECONDS:
            self.rate, self.largest = None, LARGEST_PUSH
        elif self.rate is not None:
            self.rate = min(self._most, self.rate + self._most * _FASTER_PER_SECOND * (now - self._raised_at))
            self._raised_at = now
