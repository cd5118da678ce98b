"""The one way to the terminal: nothing in a text of others steers it."""

import sys
from collections.abc import Iterable
from typing import BinaryIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from groundwork.text import printable


class Terminal(Console):
    """A console of rich on stdout. Styles are rich's; what texts bring along themselves is escaped."""

    def __init__(self) -> None:
        super().__init__(highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, with texts made printable."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(printable(segment.text), segment.style)


class PrintedBytes:
    """The way of bytes to stdout: as they are, but where it is a terminal printable."""

    def __init__(self) -> None:
        self._target: BinaryIO = sys.stdout.buffer
        self._shown = sys.stdout.isatty()

    def write(self, data: bytes) -> None:
        """Write a line or several."""
        text = printable(data.decode("utf-8", "replace")).encode() if self._shown else data
        self._target.write(text)

    def flush(self) -> None:
        """Have all that was written leave."""
        self._target.flush()
