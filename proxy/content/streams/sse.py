"""Server-sent events: bytes, cut anywhere, to whole events."""

from typing import NamedTuple

from proxy.content.streams.lines import LineReader
from proxy.content.streams.thin import KEPT


class Event(NamedTuple):
    """One event: its data, and the name that stands apart from it, empty where there is none."""

    data: bytes
    name: bytes = b""


class EventReader:
    """Collects the ``data`` and ``event`` of each event (WHATWG HTML 9.2.6); all else is ignored."""

    def __init__(self) -> None:
        self._lines = LineReader()
        self._data: list[bytes] = []
        self._size = 0
        self._name = b""

    def feed(self, piece: bytes) -> list[Event]:
        """Return the events that this piece completes."""
        events = []
        for line in self._lines.feed(piece):
            if line.startswith(b"data:"):
                self._add(line)
            elif not line:
                events += self._take()
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
        return events

    def finish(self) -> list[Event]:
        """Return an event that no blank line ended, as streams that break off leave it."""
        return [*self.feed(b"\n"), *self._take()]

    def _add(self, line: bytes) -> None:
        data = line[6:] if line[5:6] == b" " else line[5:]
        self._size += len(data)
        # An event of many lines is none of a provider's; one without end must not fill the memory.
        if not self._data or self._size <= KEPT:
            self._data.append(data)

    def _take(self) -> list[Event]:
        data, name = self._data, self._name
        self._data, self._size, self._name = [], 0, b""
        if not data:
            return []
        return [Event(data[0] if len(data) == 1 else b"\n".join(data), name)]
