"""Catch-up in windows of record time, so that no stream goes back by an hour.

Loki refuses what is far behind its stream's newest entry. Every file is read up to the window's end; the
next window opens when all of this one is settled.
"""

from heapq import heappop, heappush

WINDOW_NANOSECONDS = 15 * 60 * 1_000_000_000
# Loki takes entries up to ten minutes ahead of its clock (``creation_grace_period``).
AHEAD_NANOSECONDS = 9 * 60 * 1_000_000_000


class Window:
    """The end of the open window, and the files whose next line lies past it; times are in nanoseconds."""

    def __init__(self) -> None:
        self.end = 0
        self._waiting: dict[int, int] = {}
        self._by_time: list[tuple[int, int]] = []

    @property
    def earliest(self) -> int | None:
        """The time of the earliest line that waits."""
        while self._by_time and self._waiting.get(self._by_time[0][1]) != self._by_time[0][0]:
            heappop(self._by_time)
        return self._by_time[0][0] if self._by_time else None

    def admits(self, time: int) -> bool:
        """Tell whether a line of this time may be read on."""
        return time <= self.end

    def block(self, file_id: int, time: int) -> None:
        """Let a file wait, whose next line has this time."""
        self._waiting[file_id] = time
        heappush(self._by_time, (time, file_id))

    def forget(self, file_id: int) -> None:
        """Let a file wait no more."""
        self._waiting.pop(file_id, None)

    def has_next(self, now: int) -> bool:
        """Tell whether a line waits for anything but Loki's clock."""
        return self.earliest is not None and self.earliest <= now + AHEAD_NANOSECONDS

    def open_next(self, now: int) -> list[int]:
        """Open the next window and return the files that have lines in it; none if it has no ``has_next``."""
        if self.earliest is None or not self.has_next(now):
            return []
        self.end = min(self.earliest + WINDOW_NANOSECONDS, now + AHEAD_NANOSECONDS)
        released = []
        while self.earliest is not None and self.admits(self.earliest):
            _, file_id = heappop(self._by_time)
            del self._waiting[file_id]
            released.append(file_id)
        return released
