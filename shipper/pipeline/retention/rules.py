"""Which session files may leave the disk: delivered whole, refused in nothing, untouched for long.

They are put aside first. What is written to one after all brings it back; the others are removed later.
"""

from dataclasses import dataclass
from enum import Enum, auto

# Long enough for a person to take back what should have stayed, and for the next backup.
GRACE_SECONDS = 3600.0


class Step(Enum):
    """What to do with a file."""

    KEEP = auto()
    PUT_ASIDE = auto()
    TAKE_BACK = auto()
    REMOVE = auto()


@dataclass(frozen=True, slots=True)
class Candidate:
    """What bears on a file.

    ``delivered`` is set when Loki has all of its bytes, ``refused`` when something of it stands in
    ``rejected.jsonl``. ``untouched`` is for how long it has not changed, ``aside`` for how long it has been
    put aside, ``None`` while it is in its place; both are in seconds. ``read_back`` is set when all of its
    lines were found in Loki.
    """

    delivered: bool
    refused: bool
    untouched: float
    aside: float | None = None
    read_back: bool = True


def next_step(candidate: Candidate, retention: float) -> Step:
    """Decide; ``retention`` is in seconds, 0 means that all is kept."""
    may_go = (
        retention > 0 and candidate.delivered and not candidate.refused and candidate.untouched >= retention
    )
    if candidate.aside is None:
        return Step.PUT_ASIDE if may_go and candidate.read_back else Step.KEEP
    if not may_go:
        return Step.TAKE_BACK
    return Step.REMOVE if candidate.aside >= GRACE_SECONDS else Step.KEEP
