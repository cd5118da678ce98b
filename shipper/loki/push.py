"""One push and Loki's answer to it, as values."""

from dataclasses import dataclass
from enum import StrEnum

from shipper.entry import Entry, Pairs


class Silence(StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status with the beginning of its text, or the reason for silence.

    ``retry_after`` is in seconds, as a gateway before Loki may send it; Loki itself never does.
    """

    status: int = 0
    text: str = ""
    silence: Silence | None = None
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Push:
    """Entries of one stream, ascending by time. ``attempts`` counts the failures so far.

    ``failed_counted`` tells that these entries stand in ``entries_failed``; ``successes_before`` is how many
    pushes had succeeded when this one first failed.
    """

    number: int
    stream: Pairs
    entries: tuple[Entry, ...]
    attempts: int = 0
    not_before: float = 0.0
    formed_at: float = 0.0
    failed_counted: bool = False
    successes_before: int = 0

    @property
    def size(self) -> int:
        """Bytes as Loki counts them."""
        return sum(each.size for each in self.entries)
