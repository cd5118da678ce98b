"""Trouble that lasts is told when it begins, now and then while it lasts, and when it ends."""

from collections.abc import Hashable
from enum import Enum

# The first reminder comes while whoever started the process still looks; later ones ever more rarely.
_FIRST_SECONDS = 60.0
_MOST_SECONDS = 900.0
# Failures further apart than this are two, and whoever reads the log wants to know of each.
_APART_SECONDS = 60.0
# What never stops is told as often as this all the same, with how often it happened.
_AGAIN_SECONDS = 600.0
# More kinds than there are statuses and system errors; beyond them all are told anew.
_MOST_KINDS = 1000


class Turn(Enum):
    """What there is to tell."""

    NOTHING = "nothing"
    BEGAN = "began"
    LASTS = "lasts"
    ENDED = "ended"


class Outage:
    """The time in which nothing reaches Loki; all times are a monotonic clock's."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._next = self._gap = 0.0

    def see(self, now: float, *, failing: bool, since: float | None) -> Turn:
        """Take a look; ``since`` is from when on a push has waited."""
        if not failing:
            return Turn.NOTHING if self._since is None else Turn.ENDED
        if self._since is None:
            self._since = now if since is None else since
            self._gap, self._next = _FIRST_SECONDS, now + _FIRST_SECONDS
            return Turn.BEGAN
        if now < self._next:
            return Turn.NOTHING
        self._gap = min(_MOST_SECONDS, 2 * self._gap)
        self._next = now + self._gap
        return Turn.LASTS

    def lasted(self, now: float) -> float:
        """Return for how many seconds; 0 where nothing is wrong."""
        return 0.0 if self._since is None else now - self._since

    def end(self) -> None:
        """Forget it: the end was told."""
        self._since = None


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
