"""What an answer of Loki did to a push, as a value."""

from dataclasses import dataclass

from shipper.entry import DropReason, Entry
from shipper.loki.push.answers import Meaning
from shipper.loki.push.push import Push


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that Loki refused alone, and for good."""

    entry: Entry
    reason: DropReason
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer did.

    ``unknown`` tells that the push may have been stored in part or whole; ``maybe_duplicated`` counts
    entries that go again though they may be there; ``newly_failed`` those that have just used up their
    retries. ``unanswered`` is why a verification was given up.
    """

    push: Push
    meaning: Meaning
    delivered: tuple[Entry, ...] = ()
    refused: tuple[Refused, ...] = ()
    too_long: tuple[Entry, ...] = ()
    line_limit: int | None = None
    unknown: bool = False
    maybe_duplicated: int = 0
    newly_failed: int = 0
    wait: float = 0.0
    parked: bool = False
    unanswered: str = ""

    @property
    def again(self) -> tuple[Entry, ...]:
        """Entries that have to be pushed once more; of some Loki is asked first whether it has them."""
        asks = self.unknown and not self.maybe_duplicated
        if (
            asks
            or self.meaning is Meaning.DELIVERED
            or (self.push.verify and self.meaning is not Meaning.VERIFIED)
        ):
            return ()
        settled = {*self.delivered, *self.too_long, *(each.entry for each in self.refused)}
        return tuple(each for each in self.push.entries if each not in settled)
