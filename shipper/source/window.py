"""Catch-up in windows of record time, so that no stream goes back by an hour.

Loki refuses what is far behind its stream's newest entry. Every file is read up to the window's end; the
next window opens when all of this one is settled.
"""

WINDOW_NANOSECONDS = 15 * 60 * 1_000_000_000
# Loki takes entries up to ten minutes ahead of its clock (``creation_grace_period``).
AHEAD_NANOSECONDS = 9 * 60 * 1_000_000_000


class Window:
    """The end of the open window, and the files whose next line lies past it; times are in nanoseconds."""

    def __init__(self) -> None:
        self.end = 0
        self.waiting: dict[int, int] = {}

    def admits(self, time: int) -> bool:
        """Tell whether a line of this time may be read on."""
        return time <= self.end

    def block(self, file_id: int, time: int) -> None:
        """Let a file wait, whose next line has this time."""
        self.waiting[file_id] = time

    def forget(self, file_id: int) -> None:
        """Let a file wait no more."""
        self.waiting.pop(file_id, None)

    def open_next(self, now: int) -> list[int]:
        """Open the next window and return the files that have lines in it.

        Empty when nothing waits, or only what is still too far ahead of ``now`` for Loki.
        """
        earliest = min(self.waiting.values(), default=None)
        if earliest is None or earliest > now + AHEAD_NANOSECONDS:
            return []
        self.end = min(earliest + WINDOW_NANOSECONDS, now + AHEAD_NANOSECONDS)
        released = [file_id for file_id, time in self.waiting.items() if self.admits(time)]
        for file_id in released:
            del self.waiting[file_id]
        return released
