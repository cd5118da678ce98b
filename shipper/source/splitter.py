"""Bytes to complete lines, whatever the cuts between reads."""

from collections.abc import Iterator

from shipper.entry import Line, Span


class Splitter:
    """Cuts the bytes of one file into lines; holds back what has no newline yet.

    Of a line above ``largest`` bytes nothing is held, only its end is sought: it is given out without
    content. ``offset`` is the file position of the first byte not yet given out as a line.
    """

    def __init__(self, file_id: int, offset: int, largest: int) -> None:
        self._file_id = file_id
        self._largest = largest
        self._held: list[bytes] = []
        self._passed = 0
        self.offset = offset

    @property
    def read_offset(self) -> int:
        """Where the next bytes to feed begin."""
        return self.offset + self._passed

    @property
    def held_bytes(self) -> int:
        """How many bytes of an unfinished line are in memory."""
        return sum(map(len, self._held))

    def feed(self, data: bytes) -> Iterator[Line]:
        """Take the bytes at ``read_offset`` and yield each line that they complete, in order.

        An iterator that is left early has to be followed by ``rewind``.
        """
        *ends, rest = data.split(b"\n")
        for content in ends:
            yield self._finish(content)
        self._hold(rest)

    def rewind(self, offset: int) -> None:
        """Forget what is held, and go on at ``offset``."""
        self.offset = offset
        self._held, self._passed = [], 0

    def _finish(self, last: bytes) -> Line:
        length = self._passed + len(last)
        span = Span(self._file_id, self.offset, self.offset + length + 1)
        content = b"".join([*self._held, last]) if self._held else last
        self.rewind(span.end)
        return Line(span, content if length <= self._largest else None)

    def _hold(self, data: bytes) -> None:
        self._passed += len(data)
        if self._passed > self._largest:
            self._held = []
        elif data:
            self._held.append(data)
