"""What is pending of one file, in its order: lines of some parts, and ranges of whole lines."""

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
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


class Range(msgspec.Struct, frozen=True, gc=False):
    """Neighbouring lines of one file: where each begins and ends, its time, and the bytes before its end."""

    starts: Sequence[int]
    ends: Sequence[int]
    times: Sequence[int]
    tails: Sequence[bytes]


class LineUnit(msgspec.Struct, gc=False):
    """One line of some parts; those in ``done`` are settled."""

    span: Span
    parts: int
    time: int
    tail: bytes
    done: set[int]

    def settle(self, _start: int, part: int) -> bool:
        """Settle a part; tell whether the line is whole."""
        self.done.add(part)
        return len(self.done) == self.parts


class LinesUnit(msgspec.Struct, gc=False):
    """The lines of a range that are not below the offset: ``done`` has a 1 for each that is settled."""

    lines: Range
    done: bytearray
    first: int = 0

    def settle(self, start: int, _part: int) -> bool:
        """Settle the line that begins at ``start``; it is whole."""
        self.done[bisect_left(self.lines.starts, start)] = 1
        return True

    def split(self, file_id: int, start: int) -> "tuple[LinesUnit, LineUnit, LinesUnit]":
        """Return the line that begins at ``start`` by itself, between those before and behind it."""
        lines, at = self.lines, bisect_left(self.lines.starts, start)
        done = {0} if self.done[at] else set()
        span = Span(file_id, start, lines.ends[at])
        alone = LineUnit(span, 1, lines.times[at], lines.tails[at], done)
        return self._piece(self.first, at), alone, self._piece(at + 1, len(self.done))

    def _piece(self, first: int, past: int) -> "LinesUnit":
        lines, part = self.lines, slice(first, past)
        columns = Range(lines.starts[part], lines.ends[part], lines.times[part], lines.tails[part])
        return LinesUnit(columns, self.done[part])


class SettledUnit(msgspec.Struct, frozen=True, gc=False):
    """Neighbouring lines that are settled behind one that is not: only where they lie is still known."""

    start: int
    end: int
    lines: int
    time: int
    tail: bytes


Unit = LineUnit | LinesUnit | SettledUnit
# Units of one file that are pending before the settled ones among them are joined. Reading ahead makes fewer.
_UNJOINED = 32


@dataclass(slots=True)
class Progress:
    """How far one file is settled, and what of it was read since, in units in the order of the file."""

    offset: int
    mark: Fingerprint
    time: int
    parts_done: int
    tail: bytes | None = None
    pending: deque[Unit] = field(default_factory=deque)
    by_start: dict[int, LineUnit | LinesUnit] = field(default_factory=dict)
    _join_at: int = _UNJOINED

    def pass_line(self, last: LineUnit) -> None:
        """Move over the first of what is pending, a line that is settled."""
        self.pending.popleft()
        del self.by_start[last.span.start]
        self.offset, self.tail, self.time = last.span.end, last.tail, last.time

    def pass_lines(self, unit: LinesUnit) -> bool:
        """Move over the settled lines at the beginning of the first range; tell whether it is all of them."""
        found = unit.done.find(0, unit.first)
        past = len(unit.done) if found < 0 else found
        if past > unit.first:
            lines = unit.lines
            for start in lines.starts[unit.first : past]:
                del self.by_start[start]
            self.offset, self.tail, self.time = (
                lines.ends[past - 1],
                lines.tails[past - 1],
                lines.times[past - 1],
            )
            unit.first = past
        if found < 0:
            self.pending.popleft()
        return found < 0

    def advance(self) -> bool:
        """Move over what is settled; tell whether the position is another."""
        before = self.offset, self.parts_done
        while self.pending:
            unit = self.pending[0]
            if isinstance(unit, SettledUnit):
                self.pending.popleft()
                self.offset, self.tail, self.time = unit.end, unit.tail, unit.time
            elif isinstance(unit, LinesUnit):
                if not self.pass_lines(unit):
                    break
            elif len(unit.done) == unit.parts:
                self.pass_line(unit)
            else:
                break
        first = self.pending[0] if self.pending else None
        self.parts_done = _first_parts(first.done) if isinstance(first, LineUnit) else 0
        if len(self.pending) >= self._join_at:
            self._join()
        return before != (self.offset, self.parts_done)

    def _join(self) -> None:
        """Join neighbours that are settled: behind a line that Loki never takes a file may grow for days."""
        joined: deque[Unit] = deque()
        for unit in self.pending:
            settled = _settled(unit)
            if settled is None:
                joined.append(unit)
                continue
            last = joined[-1] if joined else None
            if isinstance(last, SettledUnit):
                joined.pop()
                settled = SettledUnit(
                    last.start, settled.end, last.lines + settled.lines, settled.time, settled.tail
                )
            joined.append(settled)
            for start in _starts(unit):
                del self.by_start[start]
        self.pending = joined
        self._join_at = 2 * len(joined) + _UNJOINED


def _settled(unit: Unit) -> SettledUnit | None:
    """Return a unit as settled; ``None`` where something of it is not."""
    if isinstance(unit, SettledUnit):
        return unit
    if isinstance(unit, LineUnit):
        span = unit.span
        whole = len(unit.done) == unit.parts
        return (
            SettledUnit(span.start, span.end, int(unit.parts == 1), unit.time, unit.tail) if whole else None
        )
    if unit.done.find(0, unit.first) >= 0:
        return None
    lines, first = unit.lines, unit.first
    return SettledUnit(
        lines.starts[first], lines.ends[-1], len(unit.done) - first, lines.times[-1], lines.tails[-1]
    )


def _starts(unit: Unit) -> Sequence[int]:
    """Return where the lines of a unit begin that are known by their start."""
    if isinstance(unit, SettledUnit):
        return ()
    return (unit.span.start,) if isinstance(unit, LineUnit) else unit.lines.starts[unit.first :]


def _first_parts(done: set[int]) -> int:
    count = 0
    while count in done:
        count += 1
    return count
