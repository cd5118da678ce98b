"""How text for a person looks: its width, and its colours where they are wanted."""

import textwrap
from dataclasses import dataclass
from typing import Literal

Colour = Literal["red", "green", "yellow", "dim", "bold"]
# Select Graphic Rendition (ECMA-48 8.3.117).
_CODES: dict[Colour, int] = {"red": 31, "green": 32, "yellow": 33, "dim": 2, "bold": 1}
# Narrower, words break; wider, eyes lose the line.
NARROWEST, WIDEST = 60, 200
NO_BREAK = "\u00a0"


@dataclass(frozen=True, slots=True)
class Style:
    """``width`` in columns is brought between ``NARROWEST`` and ``WIDEST``."""

    width: int = 80
    coloured: bool = False

    @property
    def columns(self) -> int:
        """Columns to fill at most."""
        return min(max(self.width, NARROWEST), WIDEST)

    def paint(self, text: str, colour: Colour | None) -> str:
        """Return the text in a colour, or as it is."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.coloured and colour else text

    def row(
        self, label: str, text: str, indent: int, *, name: Colour = "dim", colour: Colour | None = None
    ) -> str:
        """Return a label and, wrapped beside it at ``indent``, a text; ``name`` is the label's colour.

        At a no-break space the text is not wrapped.
        """
        pieces = textwrap.wrap(text, self.columns - indent, break_on_hyphens=False) or [""]
        lines = [self.paint(each.replace(NO_BREAK, " "), colour) for each in pieces]
        return self.paint(label, name) + " " * max(1, indent - len(label)) + f"\n{' ' * indent}".join(lines)
