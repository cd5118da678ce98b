"""Bytes to complete lines, whatever the cuts between reads."""

from collections.abc import Iterator

from shipper.entry import Line, Span
from shipper.source.fingerprint import MARK_BYTES


class Splitter:
    """Cuts the bytes of one file into lines; holds back what has no newline yet.

    Of a line above ``largest`` bytes nothing is held, only its end is sought: it is given out without
    content. ``offset`` is the file position of the first byte not yet given out as a line, ``tail`` are the
    bytes just before it, ``MARK_BYTES`` of them where there are as many.
    """

    def __init__(self, file_id: int, offset: int, largest: int) -> None:
        self._file_id = file_id
        self._largest = largest
        self._held: list[bytes] = []
        self._passed = 0
        self._passed_tail = b""
        self._before_last = (offset, b"")
        self.offset = offset
        self.tail = b""

    @property
    def read_offset(self) -> int:
        """Where the next bytes to feed begin."""
        return self.offset + self._passed

    @property
    def held_bytes(self) -> int:
        """How many bytes of an unfinished line are in memory."""
        return sum(map(len, self._held))

    @property
    def is_skipping(self) -> bool:
        """Tell whether the unfinished line is too long to be held, so that only its end is sought."""
        return self._passed > self._largest

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take the bytes at ``read_offset`` and yield each line that they complete, in order.

        An iterator that is left early has to be followed by ``step_back`` or ``pause``.
        """
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            yield self._finish(data[start:end], b"\n")
            start = end + 1
        self._hold(data[start:] if start else data)

    def close_line(self) -> Line:
        """Give out what is unfinished as a line that has no newline."""
        return self._finish(b"", b"")

    def step_back(self) -> None:
        """Take back the line that was given out last."""
        self.offset, self.tail = self._before_last
        self._forget()

    def pause(self) -> None:
        """Hold nothing in memory: what is needed of the unfinished line has to be fed again."""
        if not self.is_skipping:
            self._forget()

    def restart_line(self) -> None:
        """Seek the end of the unfinished line anew."""
        self._forget()

    def _forget(self) -> None:
        self._held, self._passed, self._passed_tail = [], 0, b""

    def _finish(self, last: bytes, newline: bytes) -> Line:
        length = self._passed + len(last)
        span = Span(self._file_id, self.offset, self.offset + length + len(newline))
        content = b"".join([*self._held, last]) if self._held else last
        self._before_last = self.offset, self.tail
        self.offset, self.tail = span.end, self._tail_with(last[-MARK_BYTES:] + newline)
        self._forget()
        held = content if length <= self._largest else None
        return Line(span, length, held, self.tail)

    def _tail_with(self, data: bytes) -> bytes:
        """Return the last bytes of all that was seen, ``data`` included."""
        if len(data) < MARK_BYTES:
            data = self.tail + self._passed_tail + data
        return data[-MARK_BYTES:]

    def _hold(self, data: bytes) -> None:
        self._passed += len(data)
        self._passed_tail = (self._passed_tail + data[-MARK_BYTES:])[-MARK_BYTES:]
        if self.is_skipping:
            self._held = []
        elif data:
            self._held.append(data)
