"""What one caller may hold at a time, so that it leaves room for the others."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Callers:
    """The running calls of each caller, at most ``calls`` at a time.

    A caller is a token's name, else a client's address. One connection runs one call at a time, so that this
    bounds its busy connections too; idle ones go first where there are too many.
    """

    calls: int
    _running: Counter[str] = field(default_factory=Counter)

    def enter(self, caller: str) -> bool:
        """Count a call that begins; return False, and count nothing, where the caller has its share."""
        if self._running[caller] >= self.calls:
            return False
        self._running[caller] += 1
        return True

    def leave(self, caller: str) -> None:
        """Count a call that has ended."""
        self._running[caller] -= 1
        if self._running[caller] <= 0:
            del self._running[caller]


@dataclass(slots=True)
class Addresses:
    """The connections of each client's address, at most ``connections`` at a time."""

    connections: int
    _open: Counter[str] = field(default_factory=Counter)

    def add(self, address: str) -> bool:
        """Count a new connection; tell whether the address may have it."""
        self._open[address] += 1
        return self._open[address] <= self.connections

    def remove(self, address: str) -> None:
        """Count a connection that has ended."""
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]
