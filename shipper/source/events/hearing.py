"""Whether file events tell of changes: what only looks have found makes its folder a deaf one.

The kernel gives no watch past its limit, and watchdog passes over that for folders that come later. On
network file systems, no event tells what another machine writes.
"""

# An event may come a moment after the look that found its file, or be lost where a folder has just been made.
_LATE_SECONDS = 3.0
_LOOKS = 2


class Hearing:
    """Which folders are deaf; ``now`` is a monotonic clock's."""

    def __init__(self) -> None:
        self._unheard: dict[str, tuple[float, int]] = {}
        self.deaf: set[str] = set()

    def found(self, folder: str, now: float) -> None:
        """Note that a look has found a change there, of which no event has told yet."""
        since, looks = self._unheard.get(folder, (now, 0))
        self._unheard[folder] = since, looks + 1

    def heard(self, folder: str) -> None:
        """Note that an event has told of a change there."""
        self._unheard.pop(folder, None)
        self.deaf.discard(folder)

    def newly_deaf(self, now: float) -> set[str]:
        """Return the folders in which looks found changes, and of which no event came in time."""
        new = {
            folder
            for folder, (since, looks) in self._unheard.items()
            if looks >= _LOOKS and now - since >= _LATE_SECONDS
        }
        for folder in new:
            del self._unheard[folder]
        new -= self.deaf
        self.deaf |= new
        return new
