"""What Loki acknowledged, by stream and window of record time, until it was read back. Pure.

A window is read back at each audit until three hours have passed: by then Loki has flushed it to its storage,
and what an ingester forgets when it dies can no longer be in it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from shipper.entry import Entry, Pairs

_NANOSECONDS = 1_000_000_000
# By default Loki flushes a chunk after two hours at most, or when it was idle for 30 minutes.
FLUSHED_NS = 3 * 3600 * _NANOSECONDS
# Loki's queriers do not look for older lines in its ingesters.
_VISIBLE_NS = 2 * 3600 * _NANOSECONDS
# What was acknowledged is visible at once; so long is left for clocks that differ and for lines under way.
_SETTLE_NS = 15 * _NANOSECONDS
# Windows beyond this are not read back: a bound on memory (some 10 MB) for a backlog of years.
_MOST_WINDOWS = 50_000
# One query asks for as much (``max_query_length`` is 30 days, a series has 11,000 points at most).
_RANGE_NS = 20 * 24 * 3600 * _NANOSECONDS
_MOST_STEPS = 10_000
_LATE = "late"

# A stream without ``late``, and the end of a window in nanoseconds.
Key = tuple[Pairs, int]


@dataclass(slots=True)
class Window:
    """Acknowledged entries of one stream up to ``end``: the bytes of their lines, and the files they are of.

    ``seen`` is what Loki answered when all of them were there, as it counts copies and the entries of others;
    -1 before. ``noted`` is when the last was acknowledged, ``visible`` from when on Loki can show them.
    """

    size: int = 0
    files: set[int] = field(default_factory=set)
    seen: int = -1
    noted: int = 0
    visible: int = 0
    sound: bool = False


class Ledger:
    """The windows of one process; ``interval`` is their length in seconds. Times are in nanoseconds."""

    def __init__(self, interval: float) -> None:
        self.step = max(_NANOSECONDS, round(interval * _NANOSECONDS))
        self.windows: dict[Key, Window] = {}
        self._settle = min(_SETTLE_NS, self.step)

    def note(self, entries: Iterable[Entry], now: int) -> None:
        """Take entries that Loki acknowledged."""
        for stream, those in groupby(entries, attrgetter("stream")):
            by_end: dict[int, list[Entry]] = {}
            for entry in those:
                by_end.setdefault(-(-entry.timestamp // self.step), []).append(entry)
            for number, group in by_end.items():
                self._note((_bare(stream), number * self.step), group, now)

    def _note(self, key: Key, entries: Sequence[Entry], now: int) -> None:
        window = self.windows.get(key)
        if window is None:
            if len(self.windows) >= _MOST_WINDOWS:
                return
            window = self.windows[key] = Window()
        window.size += sum([each.unquoted or len(each.text) for each in entries])
        window.files.update([each.span.file_id for each in entries])
        window.seen, window.noted, window.sound = -1, now, False
        if min([each.timestamp for each in entries]) < now - _VISIBLE_NS:
            window.visible = now + FLUSHED_NS

    def due(self, now: int) -> dict[Key, Window]:
        """Return the windows that are over and that Loki can show."""
        due = {
            key: window
            for key, window in self.windows.items()
            if max(key[1], window.noted) + self._settle <= now and window.visible <= now
        }
        ends = [end for (_, end), window in due.items() if not window.sound] or [end for _, end in due]
        latest = min(ends, default=0) + min(_RANGE_NS, _MOST_STEPS * self.step)
        return {key: window for key, window in due.items() if min(ends) <= key[1] <= latest}

    def differing(self, due: Mapping[Key, Window], sizes: Mapping[Key, int]) -> list[Key]:
        """Take the bytes that Loki has, and return the windows whose lines have to be looked at."""
        for key, window in due.items():
            window.sound = sizes.get(key, 0) == (window.size if window.seen < 0 else window.seen)
        return [key for key, window in due.items() if not window.sound]

    def mark_whole(self, key: Key, size: int) -> None:
        """Note that all lines of a window were found one by one, while Loki counted ``size`` bytes."""
        if key in self.windows:
            self.windows[key].seen, self.windows[key].sound = size, True

    def forget(self, now: int) -> None:
        """Drop the windows that were read back after Loki had flushed them."""
        for key, window in list(self.windows.items()):
            if window.sound and window.noted + FLUSHED_NS < now:
                del self.windows[key]

    def read_back_until(self, now: int) -> int:
        """Return the time up to which every acknowledged line was read back at the last audit."""
        open_windows = [key[1] - self.step for key, window in self.windows.items() if not window.sound]
        return min([now - self._settle, *open_windows])


def _bare(stream: Pairs) -> Pairs:
    if any(name == _LATE for name, _ in stream):
        return tuple(pair for pair in stream if pair[0] != _LATE)
    return stream
