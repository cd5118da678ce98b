"""One line of the table that ``make bench`` prints."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure: ``value`` in ``unit``, and where there is a yardstick its ``ratio`` to that.

    ``must`` is the bound in words, empty where there is none; ``met`` tells whether it holds, None where
    nothing is asked.
    """

    name: str
    value: float
    unit: str
    ratio: float | None = None
    must: str = ""
    met: bool | None = None
