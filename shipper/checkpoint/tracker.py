"""How far each file is settled: over the contiguous finished prefix only.

Entries settle in any order; a file's offset moves when every line before it has.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import msgspec

from shipper.entry import Fingerprint, Span


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file is settled.

    ``mark`` is the print of the bytes just before ``offset``, ``time`` that of the line before it, 0 for
    none; of the line at ``offset`` the first ``parts_done`` parts are settled.
    """

    offset: int = 0
    mark: Fingerprint = Fingerprint()
    time: int = 0
    parts_done: int = 0


_START = Position()


class _Unit(msgspec.Struct, gc=False):
    span: Span
    parts: int
    time: int
    tail: bytes
    done: set[int]


@dataclass(slots=True)
class _Progress:
    offset: int
    mark: Fingerprint
    time: int
    parts_done: int
    tail: bytes | None = None
    pending: deque[_Unit] = field(default_factory=deque)
    by_start: dict[int, _Unit] = field(default_factory=dict)


class Tracker:
    """The position of every file: what is settled, and what has been read but not settled.

    ``fingerprint`` hashes some bytes; it is called when a position is asked for, not for every line.
    """

    def __init__(self, fingerprint: Callable[[bytes], Fingerprint]) -> None:
        self._print_of = fingerprint
        self._files: dict[int, _Progress] = {}
        self._busy: dict[int, _Progress] = {}
        self._moved: set[int] = set()

    @property
    def has_moved(self) -> bool:
        """Tell whether a position is another than at the last ``take_moved``."""
        return bool(self._moved)

    def take_moved(self) -> set[int]:
        """Return the files whose position has changed since the last call."""
        moved, self._moved = self._moved, set()
        return moved

    def open(self, file_id: int, position: Position = _START) -> None:
        """Start with a file where the last process left it."""
        self._files[file_id] = _Progress(position.offset, position.mark, position.time, position.parts_done)

    def close(self, file_id: int) -> None:
        """Forget a file; what of it settles later is ignored."""
        self._files.pop(file_id, None)
        self._busy.pop(file_id, None)
        self._moved.discard(file_id)

    def begin(self, span: Span, parts: int, time: int, tail: bytes) -> int:
        """Note that a line was read, in the order of the file; a line of 0 parts is settled at once.

        ``tail`` are the bytes just before the line's end. Returns how many of its first parts are settled
        already.
        """
        progress = self._files[span.file_id]
        done = progress.parts_done if span.start == progress.offset else 0
        unit = _Unit(span, parts, time, tail, set(range(min(done, parts))))
        progress.pending.append(unit)
        progress.by_start[span.start] = unit
        self._busy[span.file_id] = progress
        self._advance(span.file_id, progress)
        return len(unit.done)

    def settle(self, span: Span, part: int = 0) -> bool:
        """Note that Loki has a part of a line, or has refused it for good; tell whether its line is whole."""
        progress = self._files.get(span.file_id)
        unit = progress.by_start.get(span.start) if progress else None
        if progress is None or unit is None:
            return False
        unit.done.add(part)
        whole = len(unit.done) == unit.parts
        if progress.pending[0] is unit:
            self._advance(span.file_id, progress)
        return whole

    def recut(self, span: Span, parts: int) -> bool:
        """Let a line that was one entry be so many parts; False where it is settled or was parts before."""
        progress = self._files.get(span.file_id)
        unit = progress.by_start.get(span.start) if progress else None
        if unit is None or unit.parts != 1:
            return False
        unit.parts = parts
        return True

    def position(self, file_id: int) -> Position:
        """Return how far a file is settled."""
        told = self._files[file_id]
        mark = told.mark if told.tail is None else self._print_of(told.tail)
        return Position(told.offset, mark, told.time, told.parts_done)

    def offset(self, file_id: int) -> int:
        """Return the offset below which all is settled."""
        return self._files[file_id].offset

    def is_busy(self, file_id: int) -> bool:
        """Tell whether a line of a file has been read and is not settled."""
        return file_id in self._busy

    def whole_lines(self, file_id: int) -> int:
        """Return how many lines past a file's offset have been read and are one entry each."""
        return sum(unit.parts == 1 for unit in self._files[file_id].pending)

    def ahead(self) -> Iterator[tuple[Span, int, int]]:
        """Yield line, part and number of parts of all that is settled past its file's offset."""
        for progress in self._busy.values():
            for unit in progress.pending:
                yield from ((unit.span, part, unit.parts) for part in unit.done)

    def is_settled(self, file_id: int, start: int) -> bool:
        """Tell whether a line lies below its file's offset, or its file is followed no more."""
        progress = self._files.get(file_id)
        return progress is None or start < progress.offset

    def oldest(self) -> int | None:
        """Return the time of the oldest line that has been read and not settled, by each file's first."""
        return min((each.pending[0].time for each in self._busy.values()), default=None)

    def _advance(self, file_id: int, progress: _Progress) -> None:
        pending, before = progress.pending, (progress.offset, progress.parts_done)
        while pending and len(pending[0].done) == pending[0].parts:
            last = pending.popleft()
            del progress.by_start[last.span.start]
            progress.offset, progress.tail, progress.time = last.span.end, last.tail, last.time
        progress.parts_done = _first_parts(pending[0].done) if pending else 0
        if before != (progress.offset, progress.parts_done):
            self._moved.add(file_id)
        if not pending:
            self._busy.pop(file_id, None)


def _first_parts(done: set[int]) -> int:
    count = 0
    while count in done:
        count += 1
    return count
