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
            if not line:
                if self._data:
                    events.append(self._take())
                self._name = b""
            elif line[:5] == b"data:":
                data = line[6:] if line[5:6] == b" " else line[5:]
                self._size += len(data)
                # An event of many lines is none of a provider's; one without end must not fill the memory.
                if not self._data or self._size <= KEPT:
                    self._data.append(data)
            elif line[:6] == b"event:":
                self._name = line[6:].strip()
        return events

    def finish(self) -> list[Event]:
        """Return an event that no blank line ended, as streams that break off leave it."""
        return self.feed(b"\n\n")

    def _take(self) -> Event:
        data, self._data, self._size = self._data, [], 0
        return Event(data[0] if len(data) == 1 else b"\n".join(data), self._name)
