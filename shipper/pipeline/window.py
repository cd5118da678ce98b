"""Catch-up in a window of record time, so that no stream goes back by an hour.

Loki refuses what is far behind its stream's newest entry. Every file is read up to the window's end; it moves
on as the oldest lines are settled, so that all that is under way at once is of one window's time.
"""

from heapq import heappop, heappush

WINDOW_NANOSECONDS = 15 * 60 * 1_000_000_000
# A file that has to wait is compared with what was read of it when it goes on: the window moves in few steps,
# and while one of them is settled another is read.
_STEP_NANOSECONDS = WINDOW_NANOSECONDS // 4
# Loki takes entries up to ten minutes ahead of its clock (``creation_grace_period``).
AHEAD_NANOSECONDS = 9 * 60 * 1_000_000_000


class Window:
    """The end of the open window, and the files whose next line lies past it; times are in nanoseconds.

    Before ``oldest_accepted`` Loki rejects each line: files whose next line is older wait for all others.
    """

    def __init__(self) -> None:
        self.end = 0
        self.oldest_accepted = 0
        self._old: dict[int, None] = {}
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
        self._old.pop(file_id, None)

    @property
    def has_old(self) -> bool:
        """Tell whether a file waits for all others."""
        return bool(self._old)

    def put_last(self, file_id: int) -> None:
        """Let a file wait for all others."""
        self._old[file_id] = None

    def next_old(self) -> int:
        """Return the file that has waited for all others the longest; it waits no more."""
        file_id = next(iter(self._old))
        del self._old[file_id]
        return file_id

    def ahead(self, now: int) -> tuple[int, int] | None:
        """Return the file of the earliest line and how far it is ahead, while nothing else waits."""
        if self.earliest is None or self.has_next(now):
            return None
        return self._by_time[0][1], self._by_time[0][0] - now

    def release_after(self, time: int) -> list[int]:
        """Let those files wait no more whose next line has a later time, and return them."""
        released = [file_id for file_id, each in self._waiting.items() if each > time]
        for file_id in released:
            del self._waiting[file_id]
        return released

    def has_next(self, now: int) -> bool:
        """Tell whether a line waits for anything but Loki's clock."""
        return self.earliest is not None and self.earliest <= now + AHEAD_NANOSECONDS

    def move_on(self, now: int, oldest: int | None) -> list[int]:
        """Move on as far as what is under way allows, and return the files that have lines in the window.

        ``oldest`` is the time of the oldest line under way, None where all is settled.
        """
        if self.earliest is None or not self.has_next(now):
            return []
        end = (self.earliest if oldest is None else min(oldest, self.earliest)) + WINDOW_NANOSECONDS
        if oldest is not None and end < self.end + _STEP_NANOSECONDS:
            return []
        self.end = min(max(end, self.oldest_accepted), now + AHEAD_NANOSECONDS)
        released = []
        while self.earliest is not None and self.admits(self.earliest):
            _, file_id = heappop(self._by_time)
            del self._waiting[file_id]
            released.append(file_id)
        return released
