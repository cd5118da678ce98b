"""How far each file is settled: over the contiguous finished prefix only.

Entries settle in any order; a file's offset moves when every line before it has. Lines that were read
together and are one entry each are one range, with a mark for each line; all others stand by themselves.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, repeat

from shipper.checkpoint.progress import LinesUnit, LineUnit, Position, Progress, Range, SettledUnit, Unit
from shipper.entry import Fingerprint, Span

_START = Position()


class Tracker:
    """The position of every file: what is settled, and what has been read but not settled.

    ``fingerprint`` hashes some bytes; it is called when a position is asked for, not for every line.
    """

    def __init__(self, fingerprint: Callable[[bytes], Fingerprint]) -> None:
        self._print_of = fingerprint
        self._files: dict[int, Progress] = {}
        self._busy: dict[int, Progress] = {}
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
        self._files[file_id] = Progress(position.offset, position.mark, position.time, position.parts_done)

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
        unit = LineUnit(span, parts, time, tail, set(range(min(done, parts))))
        progress.pending.append(unit)
        progress.by_start[span.start] = unit
        self._busy[span.file_id] = progress
        self._advance(span.file_id, progress)
        return len(unit.done)

    def begin_range(self, file_id: int, lines: Range) -> None:
        """Note that lines were read, in the order of the file, each of which is one entry."""
        progress = self._files[file_id]
        unit = LinesUnit(lines, bytearray(len(lines.starts)))
        progress.pending.append(unit)
        progress.by_start.update(zip(lines.starts, repeat(unit)))
        self._busy[file_id] = progress

    def has_parts_at(self, file_id: int, start: int) -> bool:
        """Tell whether parts of the line that begins there were settled by an earlier process."""
        progress = self._files[file_id]
        return bool(progress.parts_done) and start == progress.offset

    def settle(self, span: Span, part: int = 0) -> bool:
        """Note that Loki has a part of a line, or has refused it for good; tell whether its line is whole."""
        progress = self._files.get(span.file_id)
        unit = progress.by_start.get(span.start) if progress else None
        if progress is None or unit is None:
            return False
        whole = unit.settle(span.start, part)
        if progress.pending[0] is unit:
            self._advance(span.file_id, progress)
        return whole

    def settle_lines(self, spans: Iterable[Span]) -> list[Span]:
        """Note that Loki has lines that are one entry each; return those that were not settled before."""
        whole = []
        touched = {}
        for span in spans:
            file_id, start, _ = span
            progress = self._files.get(file_id)
            unit = progress.by_start.get(start) if progress else None
            if progress is not None and unit is not None and unit.settle(start, 0):
                whole.append(span)
                touched[file_id] = progress
        for file_id, progress in touched.items():
            self._advance(file_id, progress)
        return whole

    def recut(self, span: Span, parts: int) -> bool:
        """Let a line that was one entry be so many parts; False where it is settled or was parts before."""
        progress = self._files.get(span.file_id)
        unit = progress.by_start.get(span.start) if progress else None
        if progress is None or unit is None:
            return False
        if isinstance(unit, LinesUnit):
            unit = self._take_out(span, progress, unit)
        if unit.parts != 1:
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
        return sum(map(_whole_lines, self._files[file_id].pending))

    def ahead(self) -> Iterator[tuple[Span, int, int]]:
        """Yield line, part and number of parts of what is settled past an offset, ``islands`` left out."""
        for file_id, progress in self._busy.items():
            for unit in progress.pending:
                if isinstance(unit, SettledUnit):
                    continue
                if isinstance(unit, LineUnit):
                    yield from ((unit.span, part, unit.parts) for part in unit.done)
                else:
                    columns = zip(unit.lines.starts, unit.lines.ends, unit.done, strict=True)
                    left = islice(columns, unit.first, None)
                    yield from ((Span(file_id, start, end), 0, 1) for start, end, done in left if done)

    def islands(self) -> Iterator[Span]:
        """Yield the ranges of whole lines that are settled past their file's offset and were joined."""
        for file_id, progress in self._busy.items():
            for unit in progress.pending:
                if isinstance(unit, SettledUnit):
                    yield Span(file_id, unit.start, unit.end)

    def is_settled(self, file_id: int, start: int) -> bool:
        """Tell whether a line lies below its file's offset, or its file is followed no more."""
        progress = self._files.get(file_id)
        return progress is None or start < progress.offset

    def oldest(self) -> int | None:
        """Return the time of the oldest line that has been read and not settled, by each file's first."""
        return min((_first_time(each.pending[0]) for each in self._busy.values()), default=None)

    def oldest_parts(self) -> int:
        """Return how many parts of that line are settled."""
        firsts = (each.pending[0] for each in self._busy.values())
        oldest = min(firsts, key=_first_time, default=None)
        return len(oldest.done) if isinstance(oldest, LineUnit) else 0

    def _take_out(self, span: Span, progress: Progress, unit: LinesUnit) -> LineUnit:
        """Let one line of a range stand by itself."""
        before, alone, behind = unit.split(span.file_id, span.start)
        at = progress.pending.index(unit)
        del progress.pending[at]
        pieces: list[Unit] = [each for each in (before, alone, behind) if each is alone or each.done]
        for piece in reversed(pieces):
            progress.pending.insert(at, piece)
        for lines in (before, behind):
            progress.by_start.update(zip(lines.lines.starts, repeat(lines)))
        progress.by_start[span.start] = alone
        return alone

    def _advance(self, file_id: int, progress: Progress) -> None:
        if progress.advance():
            self._moved.add(file_id)
        if not progress.pending:
            self._busy.pop(file_id, None)


def _first_time(unit: Unit) -> int:
    return unit.lines.times[unit.first] if isinstance(unit, LinesUnit) else unit.time


def _whole_lines(unit: Unit) -> int:
    if isinstance(unit, LinesUnit):
        return len(unit.done) - unit.first
    return unit.lines if isinstance(unit, SettledUnit) else int(unit.parts == 1)
