"""Server-sent events: bytes, cut anywhere, to the data of whole events."""


class EventReader:
    """Collects the ``data`` of each event (WHATWG HTML 9.2.6); comments and other fields are ignored."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the data of the events that this piece completes."""
        if b"\r" in piece or self._rest.endswith(b"\r"):
            piece, self._rest = _unify(self._rest + piece), b""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                events.append(self._take())
        return events

    def finish(self) -> list[bytes]:
        """Return the data of an event that no blank line ended, as streams that break off leave it."""
        events = self.feed(b"\n") if self._rest else []
        return [*events, self._take()] if self._data else events

    def _take(self) -> bytes:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        self._data = []
        return data


def _unify(piece: bytes) -> bytes:
    """Make every line end one newline, but leave a return at the very end, as its newline may follow."""
    ending = b"\r" if piece.endswith(b"\r") else b""
    body = piece[: len(piece) - len(ending)]
    return body.replace(b"\r\n", b"\n").replace(b"\r", b"\n") + ending
