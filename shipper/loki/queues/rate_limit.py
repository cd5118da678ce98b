"""How fast to push after Loki has said that it was too fast.

Unlimited until a limit is met; then a token bucket below the limit that Loki printed, which opens again
slowly while pushes succeed (additive increase, multiplicative decrease, as in TCP). In the end it is
unlimited again, as the limit may have been raised.
"""

# Loki's own rate is measured over the cluster and moves: stay a little below what it prints.
_SHARE_OF_LIMIT = 0.9
# Where no text tells the limit: a quarter of Loki's default of 4 MB/s.
_UNKNOWN_LIMIT = float(1 << 20)
_SLOWER = 0.5
_SLOWEST = 64.0 * 1024
# Refusals of pushes that left before the first of them came back are one refusal.
_SAME_EVENT_SECONDS = 1.0
# Per second of success: from half the limit back to it in about half a minute.
_FASTER_PER_SECOND = 0.02
# A limit that stands costs a refusal or two each time; one that was raised is found out so soon.
_FORGOTTEN_SECONDS = 600.0


class Pace:
    """One bucket; rates are in bytes a second, times are a monotonic clock's."""

    def __init__(self) -> None:
        self.rate: float | None = None
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

    def speed_up(self, now: float) -> None:
        """React to a success."""
        if now - self._slowed_at >= _FORGOTTEN_SECONDS:
            self.rate = None
        elif self.rate is not None:
            self.rate = min(self._most, self.rate + self._most * _FASTER_PER_SECOND * (now - self._raised_at))
            self._raised_at = now
