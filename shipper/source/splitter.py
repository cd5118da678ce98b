"""Bytes to complete lines, whatever the cuts between reads."""

from collections.abc import Sequence
from itertools import accumulate

import msgspec

from shipper.entry import Line, Span
from shipper.source.fingerprint import MARK_BYTES


class Run(msgspec.Struct, frozen=True, gc=False):
    """The complete lines of one read of a file, in columns: line ``i`` is ``[starts[i], ends[i])`` there.

    ``contents`` are the lines without their newlines, ``None`` for one that is too long to be held. ``data``
    is the read itself, which begins at ``base`` in the file, and ``before`` are the bytes just before it.
    """

    file_id: int
    starts: Sequence[int]
    ends: Sequence[int]
    contents: Sequence[bytes | None]
    data: bytes
    base: int
    before: bytes

    def __len__(self) -> int:
        """Return the number of lines."""
        return len(self.ends)

    def tails(self, first: int, past: int) -> list[bytes]:
        """Return of each of these lines the bytes just before its end."""
        data, base = self.data, self.base
        places = [end - base for end in self.ends[first:past]]
        return [
            data[place - MARK_BYTES : place] if place >= MARK_BYTES else self._early_tail(place)
            for place in places
        ]

    def line(self, number: int) -> Line:
        """Return one line by itself."""
        span = Span(self.file_id, self.starts[number], self.ends[number])
        size = span.end - span.start - 1
        return Line(span, size, self.contents[number], self.tails(number, number + 1)[0])

    def _early_tail(self, place: int) -> bytes:
        return (self.before + self.data[:place])[-MARK_BYTES:]


class Splitter:
    """Cuts the bytes of one file into lines; holds back what has no newline yet.

    Of a line above ``largest`` bytes nothing is held, only its end is sought: it is given out without
    content. ``offset`` is the file position of the first byte not yet stepped over as a line, ``tail`` are
    the bytes just before it, ``MARK_BYTES`` of them where there are as many.
    """

    def __init__(self, file_id: int, offset: int, largest: int) -> None:
        self._file_id = file_id
        self._largest = largest
        self._held: list[bytes] = []
        self._passed = 0
        self._passed_tail = b""
        self.offset = offset
        self.tail = b""

    @property
    def read_offset(self) -> int:
        """Where the next bytes to cut begin."""
        return self.offset + self._passed

    @property
    def held_bytes(self) -> int:
        """How many bytes of an unfinished line are in memory."""
        return sum(map(len, self._held))

    @property
    def is_skipping(self) -> bool:
        """Tell whether the unfinished line is too long to be held, so that only its end is sought."""
        return self._passed > self._largest

    def cut(self, data: bytes) -> Run | None:
        """Return the lines that the bytes at ``read_offset`` complete; None where they complete none.

        ``step_over`` has to follow for what was returned.
        """
        end = data.rfind(b"\n")
        if end < 0:
            self._hold(data)
            return None
        contents: list[bytes | None] = [*data[:end].split(b"\n")]
        lengths = list(map(len, contents))  # type: ignore[arg-type]
        if self._passed:
            lengths[0] += self._passed
            contents[0] = b"".join([*self._held, contents[0] or b""]) if self._held else None
        if max(lengths) > self._largest:
            pairs = zip(contents, lengths, strict=True)
            contents = [each if length <= self._largest else None for each, length in pairs]
        places = list(accumulate([length + 1 for length in lengths], initial=self.offset))
        before = self.tail + self._passed_tail
        return Run(self._file_id, places[:-1], places[1:], contents, data, self.read_offset, before)

    def step_over(self, run: Run, count: int) -> None:
        """Go on behind the first lines of what was cut last; of what follows nothing is held but a rest."""
        is_whole = count == len(run)
        if count:
            self.offset, self.tail = run.ends[count - 1], run.tails(count - 1, count)[0]
        self._forget()
        if is_whole:
            self._hold(run.data[self.offset - run.base :])

    def close_line(self) -> Line:
        """Give out what is unfinished as a line that has no newline."""
        span = Span(self._file_id, self.offset, self.offset + self._passed)
        held = None if self.is_skipping else b"".join(self._held)
        self.offset, self.tail = span.end, (self.tail + self._passed_tail)[-MARK_BYTES:]
        line = Line(span, self._passed, held, self.tail)
        self._forget()
        return line

    def pause(self) -> None:
        """Hold nothing in memory: what is needed of the unfinished line has to be cut again."""
        if not self.is_skipping:
            self._forget()

    def restart_line(self) -> None:
        """Seek the end of the unfinished line anew."""
        self._forget()

    def _forget(self) -> None:
        self._held, self._passed, self._passed_tail = [], 0, b""

    def _hold(self, data: bytes) -> None:
        self._passed += len(data)
        self._passed_tail = (self._passed_tail + data[-MARK_BYTES:])[-MARK_BYTES:]
        if self.is_skipping:
            self._held = []
        elif data:
            self._held.append(data)
