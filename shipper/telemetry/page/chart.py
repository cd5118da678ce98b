"""A quarter of an hour as a curve: points in, the path of an SVG out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

# What the chart spans, in seconds; one unit of its width is one second.
SPAN_SECONDS = 900
# Its height in units of its own; the page stretches it.
HEIGHT = 100
# Points further apart than this have a time between them of which nothing is known.
_GAP_SECONDS = 30
_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1024)
_KIB, _LARGEST_UNIT = 1024, 1024**5


@dataclass(frozen=True, slots=True)
class Curve:
    """``line`` and ``area`` are SVG path data in a box of 900 by 100; ``top`` is the value at its upper edge.

    ``last`` and ``peak`` are values too; all are 0 where there are no points.
    """

    line: str
    area: str
    top: float
    last: float
    peak: float


def curve(points: Sequence[tuple[float, float]], now: float) -> Curve:
    """Return the curve of (seconds since 1970, bytes) over the 15 minutes before ``now``."""
    shown = [(at, max(0.0, value)) for at, value in points if now - SPAN_SECONDS <= at <= now]
    peak = max((value for _, value in shown), default=0.0)
    top = scale(peak)
    line, area = [], []
    for run in _runs(shown):
        placed = [(at - now + SPAN_SECONDS, HEIGHT * (1 - value / top)) for at, value in run]
        path = "L".join(f"{x:.0f} {y:.1f}" for x, y in placed)
        # A point alone is drawn as a line of no length, with round ends.
        line.append(f"M{path}" + "h0" * (len(placed) == 1))
        area.append(f"M{placed[0][0]:.0f} {HEIGHT}L{path}V{HEIGHT}Z")
    return Curve("".join(line), "".join(area), top, shown[-1][1] if shown else 0.0, peak)


def scale(peak: float) -> float:
    """Return the least round number of bytes that is not below ``peak``: 1, 2, 5, 10... of a binary unit."""
    unit = float(_KIB)
    while unit < _LARGEST_UNIT:
        for step in _STEPS:
            if peak <= step * unit:
                return step * unit
        unit *= _KIB
    return max(peak, unit)


def _runs(points: Sequence[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """Divide the points where a time between two of them is unknown."""
    runs = [[each] for each in points[:1]]
    for before, each in pairwise(points):
        if each[0] - before[0] > _GAP_SECONDS:
            runs.append([])
        runs[-1].append(each)
    return runs
