"""Loki's time, as the Date header of its answers tells it: it judges by that which lines are too new."""

from collections.abc import Callable

from groundwork.text import span
from shipper.loki.push.push import Answer
from shipper.record.timestamp import FAR_AHEAD_NS
from shipper.telemetry.events import Event, Reporter

# A Date header tells whole seconds, and an answer takes a part of one; clocks closer than this are one.
_APART_SECONDS = 30.0
# How soon the time is asked again: while lines wait for it, and while no answer has told it.
_AGAIN_SECONDS = 10.0
# Without an answer for so long, what waits for one is told to the operator.
_SILENT_SECONDS = 15.0
# Before Loki's time is known, any time that a line tells may be right.
_FOREVER = 1 << 80


class LokiClock:
    """Loki's time on this machine's monotonic clock, which no correction of the wall clock moves.

    ``ask`` has Loki asked for the time; the answer comes to ``note``. Without it, the own clock is Loki's.
    ``now`` is the monotonic clock's, ``wall`` the own time in seconds since 1970.
    """

    def __init__(self, reporter: Reporter, ask: Callable[[], None] | None) -> None:
        self._reporter = reporter
        self._ask = ask
        self._epoch: float | None = None
        self._next_ask = 0.0
        self._began: float | None = None
        self._known = ask is None
        self._told = False

    def note(self, answer: Answer) -> None:
        """Take the time that an answer tells, if it tells any."""
        self._known |= bool(answer.status)
        self._epoch = self._epoch if answer.epoch is None else answer.epoch

    def step(self, now: float, wall: float, *, waits: bool) -> float:
        """Return Loki's time; it is asked for at the start, and again while lines wait for it."""
        self._began = now if self._began is None else self._began
        if self._ask and now >= self._next_ask and (waits or not self._known):
            self._next_ask = now + _AGAIN_SECONDS
            self._ask()
        behind = self.behind(now, wall)
        if behind and not self._told:
            apart = f"{span(abs(behind))} {'behind' if behind > 0 else 'ahead of'}"
            self._reporter.report(Event.CLOCK_WRONG, apart=apart)
        self._told = bool(behind)
        return wall + behind

    def latest(self, now: float, wall: float) -> int:
        """Return the latest time that a line may tell, in nanoseconds: an hour ahead of both clocks."""
        if not self._known:
            return _FOREVER
        return int(max(wall, wall + self.behind(now, wall)) * 1e9) + FAR_AHEAD_NS

    def behind(self, now: float, wall: float) -> float:
        """Return how many seconds the own clock is behind Loki's, below 0 where it is ahead, 0 if neither."""
        apart = 0.0 if self._epoch is None else now + self._epoch - wall
        return apart if abs(apart) > _APART_SECONDS else 0.0

    def tells(self, now: float) -> bool:
        """Tell whether the time is known, or should be by now."""
        return self._known or (self._began is not None and now - self._began >= _SILENT_SECONDS)
