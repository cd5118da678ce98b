"""One push and Loki's answer to it, as values."""

from dataclasses import dataclass
from enum import StrEnum

from shipper.entry import Entry, Pairs

# Why nothing was sent where a header's value has a line break: the value itself is a secret.
UNCARRIABLE = "a token or header holds what no request can carry"


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
class Told:
    """Loki's answer to a question: the entries that it has, and those of which it cannot be known.

    ``failed`` tells why there was no answer though another time there may be one, ``cannot`` why there
    never will be.
    """

    stored: frozenset[Entry] = frozenset()
    untold: frozenset[Entry] = frozenset()
    failed: str = ""
    cannot: str = ""


@dataclass(frozen=True, slots=True)
class Push:
    """Entries of one stream, ascending by time. ``attempts`` counts the failures so far.

    ``failed_counted`` tells that these entries stand in ``entries_failed``; ``successes_before`` is how many
    pushes had succeeded when this one first failed. A ``verify`` push is not sent: Loki is asked which of
    its entries it has. ``alone``: what Loki lacks is sent one entry a push. ``deferred``: the push waits for
    a time of its own and holds up nothing else of its stream. ``maybe_in_flight``: the last attempt may still
    reach Loki; the wait before asking was doubled ``verify_backoff`` times.
    """

    number: int
    stream: Pairs
    entries: tuple[Entry, ...]
    attempts: int = 0
    not_before: float = 0.0
    failed_counted: bool = False
    successes_before: int = 0
    verify: bool = False
    alone: bool = False
    deferred: bool = False
    maybe_in_flight: bool = False
    verify_backoff: int = 0

    @property
    def size(self) -> int:
        """Bytes as Loki counts them."""
        return sum(each.size for each in self.entries)
