"""Trouble that lasts is told when it begins, now and then while it lasts, and when it ends."""

import math
from collections.abc import Hashable
from enum import Enum

# The first reminder comes while whoever started the process still looks; later ones ever more rarely.
_FIRST_SECONDS = 60.0
_MOST_SECONDS = 900.0
# Failures further apart than this are two, and whoever reads the log wants to know of each.
_APART_SECONDS = 60.0
# What never stops is told as often as this all the same, with how often it happened.
_AGAIN_SECONDS = 600.0
# Lines older than this wait for something, unless batches wait for longer.
_OLD_SECONDS = 30.0
# How long the first old line of a process counts as waiting before its first look: starts in a row add up.
_WAITED_SECONDS = 9.0
# More kinds than there are statuses and system errors; beyond them all are told anew.
_MOST_KINDS = 1000


class Turn(Enum):
    """What there is to tell."""

    NOTHING = "nothing"
    BEGAN = "began"
    LASTS = "lasts"
    ENDED = "ended"


class Outage:
    """The time in which nothing reaches Loki; all times are a monotonic clock's.

    Soon after one has ended, another is told only if it lasts: a slow Loki begins and ends many.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._next = self._gap = 0.0
        self._ended = -_APART_SECONDS
        self._is_told = False

    def see(self, now: float, *, failing: bool, since: float | None) -> Turn:
        """Take a look; ``since`` is from when on a push has waited."""
        if not failing:
            return self._see_well(now)
        if self._since is None:
            self._since = now if since is None else since
            self._gap, self._next = _FIRST_SECONDS, now + _FIRST_SECONDS
            self._is_told = now - self._ended >= _APART_SECONDS
            return Turn.BEGAN if self._is_told else Turn.NOTHING
        if now < self._next:
            return Turn.NOTHING
        self._gap = min(_MOST_SECONDS, 2 * self._gap)
        self._next = now + self._gap
        was_told, self._is_told = self._is_told, True
        return Turn.LASTS if was_told else Turn.BEGAN

    def lasted(self, now: float) -> float:
        """Return for how many seconds; 0 where nothing is wrong."""
        return 0.0 if self._since is None else now - self._since

    def end(self) -> None:
        """Forget it: the end was told."""
        self._since = None

    def _see_well(self, now: float) -> Turn:
        if self._since is None:
            return Turn.NOTHING
        self._ended = now
        if self._is_told:
            return Turn.ENDED
        self.end()
        return Turn.NOTHING


class Standstill:
    """Since when old lines wait and become neither younger nor fewer, though others may reach Loki.

    A line waits in a batch for ``batch_wait`` seconds.
    """

    def __init__(self, batch_wait: float) -> None:
        self._patience = max(_OLD_SECONDS, 2 * batch_wait)
        self._since: float | None = None
        self._youngest = self._least = math.inf
        self._parts = 0
        self._is_first = True

    def see(self, age: float, lag: int, parts: int, now: float) -> float | None:
        """Take the age of the oldest line, how many bytes wait, and how many parts of that line are settled.

        Returns since when nothing has moved, None where no line is older than the patience.
        """
        was_first, self._is_first = self._is_first, False
        if age <= self._patience:
            self._since, self._youngest, self._least = None, math.inf, math.inf
            return None
        if self._since is None or age < self._youngest or lag < self._least or parts > self._parts:
            # Lines that an earlier process left have waited before.
            self._since = now - (_WAITED_SECONDS if was_first else 0.0)
        self._youngest, self._least = min(age, self._youngest), min(lag, self._least)
        self._parts = parts
        return self._since


class Repeats:
    """Which of many failures of one kind are told: the first of a row, and of a long row one now and then."""

    def __init__(self) -> None:
        self._kinds: dict[Hashable, tuple[float, float, int]] = {}

    def count(self, kind: Hashable, now: float) -> int | None:
        """Take one; return how many were passed over since the last that was told, None to pass over this."""
        if len(self._kinds) > _MOST_KINDS:
            self._kinds.clear()
        told, seen, passed = self._kinds.get(kind, (-_AGAIN_SECONDS, -_APART_SECONDS, 0))
        if now - seen < _APART_SECONDS and now - told < _AGAIN_SECONDS:
            self._kinds[kind] = (told, now, passed + 1)
            return None
        self._kinds[kind] = (now, now, 0)
        return passed
