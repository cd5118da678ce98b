"""Token buckets, and the moving rate by which busy streams are sharded; time in seconds comes in."""

import math

# pkg/distributor/ratestore.go, smoothingFactor
_SMOOTHING = 0.4


class TokenBucket:
    """``golang.org/x/time/rate``: what is above the burst can never pass."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._last = now

    def allow(self, amount: float, now: float) -> bool:
        """Take ``amount`` if all of it is there."""
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._last) * self.rate)
        self._last = now
        if amount > self._tokens:
            return False
        self._tokens -= amount
        return True


class StreamRate:
    """Bytes a second of one stream over all its shards, smoothed once a second."""

    def __init__(self, now: float) -> None:
        self._second = math.floor(now)
        self._bytes = 0
        self._rate = 0.0

    def record(self, size: int, now: float) -> None:
        """Count what the ingester saw of a push."""
        self._roll(now)
        self._bytes += size

    def shards(self, push_size: int, desired: int, now: float) -> int:
        """Return over how many shards a push of this size goes; one while the rate is not known.

        Observed: pushes of 1 MB are split from 0.6 MB/s on, pushes of 250 KB at 1.1 MB/s are not.
        """
        self._roll(now)
        if desired <= 0 or self._rate == 0:
            return 1
        return max(1, math.ceil((self._rate + push_size) / desired))

    def _roll(self, now: float) -> None:
        passed = math.floor(now) - self._second
        # Beyond this nothing is left of the old rate.
        for _ in range(min(passed, 60)):
            self._rate = _SMOOTHING * self._bytes + (1 - _SMOOTHING) * self._rate
            self._bytes = 0
        self._second += max(0, passed)
