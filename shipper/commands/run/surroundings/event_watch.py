"""Keeping file events coming, and telling where they do not."""

from collections.abc import Collection

from shipper.source.events.watch import Watch
from shipper.telemetry.events import Event, Reporter

# Arming walks all folders; a limit that is reached rarely moves within minutes.
_FIRST_SECONDS = 10.0
_MOST_SECONDS = 600.0


class EventWatch:
    """Arms the watch at the start, and again while folders are deaf; ``now`` is a monotonic clock's."""

    def __init__(self, watch: Watch, reporter: Reporter) -> None:
        self._watch = watch
        self._reporter = reporter
        self._next, self._pause = 0.0, _FIRST_SECONDS
        self._told = False

    def listen(self, now: float, deaf: Collection[str]) -> None:
        """Arm what is not armed or deaf if it is time, and tell when deafness begins and ends."""
        if self._watch.is_armed and not deaf:
            if self._told:
                self._reporter.report(Event.EVENTS_BACK)
            self._told, self._next, self._pause = False, 0.0, _FIRST_SECONDS
            return
        if now < self._next:
            return
        self._next, self._pause = now + self._pause, min(_MOST_SECONDS, 2 * self._pause)
        reason = f"none tells of changes in {min(deaf)}" if deaf else ""
        self._watch.stop()
        try:
            self._watch.start()
        except OSError as exc:
            reason = exc.strerror or str(exc)
        if reason and not self._told:
            self._told = True
            self._reporter.report(Event.POLLING, folders=len(deaf), reason=reason)
