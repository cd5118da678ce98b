"""One push and Loki's answer to it, as values."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from shipper.entry import Entry, Pairs, size_of

# Why nothing was sent where a header's value has a line break: the value itself is a secret.
UNCARRIABLE = "a token or header holds what no request can carry"


class Silence(StrEnum):
    """Why there is no answer."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    BROKEN = "broken"


class Metadata(IntEnum):
    """How much structured metadata goes along; a Loki may take less than there is, or none."""

    NONE = 0
    PLACE = 1
    """What tells a line's place: its session, its request, and where it stands in its file."""
    ALL = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status with the beginning of its text, or the reason for silence.

    ``retry_after`` is in seconds, as a gateway before Loki may send it; Loki itself never does. ``proxy`` is
    the environment's proxy that may have answered in Loki's place. ``epoch`` is the time that the answer
    tells, in seconds since 1970, less the monotonic clock when it came; None where it tells none.
    """

    status: int = 0
    text: str = ""
    silence: Silence | None = None
    retry_after: float = 0.0
    proxy: str = ""
    epoch: float | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of a verification: the entries that Loki has, and those that it cannot tell.

    ``failed`` is the reason of a temporary failure, ``cannot`` of a permanent one; else both are empty.
    ``unreachable`` tells that the failure was a connection that could not be made.
    """

    stored: frozenset[Entry] = frozenset()
    unknown: frozenset[Entry] = frozenset()
    failed: str = ""
    cannot: str = ""
    unreachable: bool = False


@dataclass(frozen=True, slots=True)
class Push:
    """Entries of one stream, in ascending order of time.

    - ``attempts``: how often it has failed.
    - ``failed_counted``: its entries are counted in ``entries_failed``.
    - ``successes_before``: how many other pushes had succeeded when this one first failed.
    - ``verify``: do not send it; ask Loki which of its entries it has.
    - ``alone``: send each entry that Loki lacks in a push of its own.
    - ``deferred``: it waits until ``not_before`` and does not block its stream.
    - ``maybe_in_flight``: the last attempt may still reach Loki. The wait before the verification was doubled
      ``verify_backoff`` times.
    - ``goes_again``: all its entries are sent again, whatever a verification finds: Loki itself failed.
    - ``in_doubt``: its entries go again although the verification got no answer.
    - ``metadata``: how much of its entries' metadata goes along.
    - ``asked_since``: when the first query of its verification failed, on the monotonic clock; 0 for none.
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
    goes_again: bool = False
    in_doubt: bool = False
    asked_since: float = 0.0
    metadata: Metadata = Metadata.ALL

    @property
    def size(self) -> int:
        """The size in bytes as Loki counts it."""
        return size_of(self.entries)
