"""How far each file is settled: over the contiguous finished prefix only.

Entries settle in any order; a file's offset moves when every line before it has.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from shipper.entry import Span


@dataclass(slots=True)
class _Unit:
    span: Span
    parts: int
    time: int
    done: set[int] = field(default_factory=set)


@dataclass(slots=True)
class _Progress:
    offset: int
    parts_done: int
    time: int
    pending: deque[_Unit] = field(default_factory=deque)
    by_start: dict[int, _Unit] = field(default_factory=dict)


class Tracker:
    """The position of every file: what is settled, and what has been read but not settled."""

    def __init__(self) -> None:
        self._files: dict[int, _Progress] = {}

    def open(self, file_id: int, offset: int, parts_done: int = 0, time: int = 0) -> None:
        """Start with a file where the last process left it; ``time`` is that of the line before."""
        self._files[file_id] = _Progress(offset, parts_done, time)

    def close(self, file_id: int) -> None:
        """Forget a file; what of it settles later is ignored."""
        self._files.pop(file_id, None)

    def begin(self, span: Span, parts: int, time: int) -> None:
        """Note that a line was read, in the order of the file; a line of 0 parts is settled at once.

        Of the line at ``offset`` the first ``parts_done`` parts are settled already.
        """
        progress = self._files[span.file_id]
        done = progress.parts_done if span.start == progress.offset else 0
        unit = _Unit(span, parts, time, set(range(done)))
        progress.pending.append(unit)
        progress.by_start[span.start] = unit
        self._advance(progress)

    def settle(self, span: Span, part: int = 0) -> bool:
        """Note that Loki has a part of a line, or has refused it for good; tell whether its line is whole."""
        progress = self._files.get(span.file_id)
        unit = progress.by_start.get(span.start) if progress else None
        if progress is None or unit is None:
            return False
        unit.done.add(part)
        whole = len(unit.done) == unit.parts
        if progress.pending[0] is unit:
            self._advance(progress)
        return whole

    def offset(self, file_id: int) -> int:
        """Return the offset below which all is settled."""
        return self._files[file_id].offset

    def parts_done(self, file_id: int) -> int:
        """Return how many first parts of the line at ``offset`` are settled."""
        return self._files[file_id].parts_done

    def time(self, file_id: int) -> int:
        """Return the time of the line before ``offset``; 0 is none."""
        return self._files[file_id].time

    def ahead(self) -> Iterator[tuple[int, int, int]]:
        """Yield (file, start of line, part) of all that is settled past its file's offset."""
        for file_id, progress in self._files.items():
            for unit in progress.pending:
                yield from ((file_id, unit.span.start, part) for part in unit.done)

    def is_settled(self, file_id: int, start: int) -> bool:
        """Tell whether a line lies below its file's offset, or its file is followed no more."""
        progress = self._files.get(file_id)
        return progress is None or start < progress.offset

    def oldest(self) -> int | None:
        """Return the time of the oldest line that has been read and not settled, by each file's first."""
        return min((each.pending[0].time for each in self._files.values() if each.pending), default=None)

    def _advance(self, progress: _Progress) -> None:
        pending = progress.pending
        while pending and len(pending[0].done) == pending[0].parts:
            unit = pending.popleft()
            del progress.by_start[unit.span.start]
            progress.offset, progress.time = unit.span.end, unit.time
        progress.parts_done = _first_parts(pending[0].done) if pending else 0


def _first_parts(done: set[int]) -> int:
    count = 0
    while count in done:
        count += 1
    return count
