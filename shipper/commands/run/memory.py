"""Makes freed memory go back to the system, so that what the process holds follows its budget.

glibc keeps large freed blocks in one arena a thread, and takes the largest block ever freed as the measure of
what to keep: lines of some megabytes left 280 MB behind where the budget was 64. With a fixed threshold each
large block is a mapping of its own and goes back when it is freed (mallopt(3)).
"""

import ctypes
from contextlib import suppress

from groundwork.gc import freeze_startup_objects

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
# Lines of megabytes are above it; parts and what they are made of are below, as each page that the system
# gives anew costs microseconds: a twentieth of all CPU.
_THRESHOLD_BYTES = 1 << 20
# With the first limit set this one no longer follows it, and 128 KiB give every line's pages back and take
# them again: a fifth of all CPU. A part of the budget may stay.
_KEPT_BYTES = 4 << 20
# What one thread has freed, another takes; almost all is allocated under the interpreter's lock.
_ARENAS = 1
# Below the last block in use the heap keeps what was freed, 30 MB after a while; to look for it costs two
# milliseconds, and as much to take it again.
_TRIM_SECONDS = 0.5
# The metadata of a line on its way is a dozen objects for the collector of cycles, and in no cycle: looked at
# after every 700 they took a fourteenth of all CPU.
_YOUNG = 50_000


def prepare_memory() -> None:
    """Let this process hold little and look through it rarely; call it once all modules are there."""
    freeze_startup_objects(_YOUNG)
    give_back_freed_memory()


def give_back_freed_memory() -> None:
    """Set the limits for this process; does nothing where the C library knows neither."""
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_ARENA_MAX, _ARENAS)


class Trimmer:
    """Gives back what was freed between blocks in use, now and then while there is work."""

    def __init__(self) -> None:
        self._next = 0.0
        self._done = 0

    def trim(self, done: int, now: float) -> None:
        """Trim if it is time and more was ``done`` than at the last: a count that rises with the work."""
        if now < self._next or done == self._done:
            return
        self._next, self._done = now + _TRIM_SECONDS, done
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
