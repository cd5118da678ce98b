"""Lines of a stream, as server-sent events and NDJSON have them."""

from proxy.content.streams.thin import Thinner

# A longer line is an event with an image or a document in it; its long strings are not kept.
_LONG_LINE = 1 << 20


class LineReader:
    r"""Cuts bytes at ``\n``, ``\r\n`` and ``\r``, in linear time, and keeps no long line whole."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._held = 0
        self._thinner: Thinner | None = None
        self._returned = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Return the lines that this piece completes, without their ends."""
        if self._returned and piece:
            self._returned = False
            piece = piece.removeprefix(b"\n")  # its return ended the line
        if b"\r" in piece:
            self._returned = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.split(b"\n")
        rest = lines.pop()
        if lines and self._held:
            self._hold(lines[0])
            lines[0] = self._take()
        self._hold(rest)
        return lines

    def finish(self) -> bytes:
        """Return a last line that nothing ended."""
        return self._take()

    def _hold(self, data: bytes) -> None:
        self._held += len(data)
        if self._thinner is not None:
            self._thinner.feed(data)
        elif data:
            self._rest.append(data)
            if self._held > _LONG_LINE:
                self._thinner = Thinner()
                for each in self._rest:
                    self._thinner.feed(each)
                self._rest = []

    def _take(self) -> bytes:
        line = b"".join(self._rest) if self._thinner is None else self._thinner.finish()
        self._rest, self._held, self._thinner = [], 0, None
        return line
