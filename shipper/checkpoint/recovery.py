"""What an earlier process left in flight, and what of it still counts past the checkpoint."""

from collections.abc import Iterator

from shipper.checkpoint.inflight import InflightLog, Key, RecoveredPushes, key_of
from shipper.checkpoint.tracker import Tracker
from shipper.entry import Entry, Span


class Recovery:
    """The pushes that ``log`` replays. ``tracker`` tells which of their entries are settled since."""

    def __init__(self, log: InflightLog, tracker: Tracker) -> None:
        self._log = log
        self._tracker = tracker
        self._pushes = log.load()

    @property
    def is_over(self) -> bool:
        """Tell whether nothing that an earlier process pushed is left to settle."""
        return not (self._pushes.stored or self._pushes.unknown or self._pushes.islands)

    def is_stored(self, entry: Entry) -> bool:
        """Tell whether an earlier process brought an entry to Loki."""
        return key_of(entry) in self._pushes.stored or self._is_on_island(entry.span)

    def pushed_at(self, entry: Entry) -> float | None:
        """Return when an entry of unknown fate was last pushed, in seconds since 1970; else None."""
        return self._pushes.unknown.get(key_of(entry))

    def restart_log(self, line_limit: int) -> None:
        """Leave out of the log what the checkpoint has overtaken; call it after the checkpoint was written.

        ``line_limit`` is what lines are cut to, in bytes. Raises ``OSError``.
        """
        stored = {key for key in self._pushes.stored if not self._is_settled(key)}
        unknown = {key: wall for key, wall in self._pushes.unknown.items() if not self._is_settled(key)}
        islands = [
            each for each in self._pushes.islands if not self._is_settled((each.file_id, each.end - 1, 0, 0))
        ]
        self._pushes = RecoveredPushes(stored, islands, unknown)
        ahead = RecoveredPushes(
            stored.union(self._ahead(line_limit)), [*islands, *self._tracker.islands()], unknown
        )
        self._log.restart(ahead, self._is_settled)

    def _ahead(self, line_limit: int) -> Iterator[Key]:
        """Yield what is settled past the offsets of the checkpoint."""
        for span, part, parts in self._tracker.ahead():
            yield span.file_id, span.start, part, line_limit if parts > 1 else 0

    def _is_on_island(self, span: Span) -> bool:
        file_id, start, end = span
        return any(
            each.file_id == file_id and each.start <= start and end <= each.end
            for each in self._pushes.islands
        )

    def _is_settled(self, key: Key) -> bool:
        return self._tracker.is_settled(key[0], key[1])
