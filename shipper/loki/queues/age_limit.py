"""The age that Loki accepts, learned from its first rejection: older entries need not be sent one by one."""

from dataclasses import dataclass, field

from shipper.entry import DropReason
from shipper.loki.push.answers import oldest_accepted_in
from shipper.loki.push.outcome import Refused
from shipper.loki.queues.stream_queue import StreamQueue


@dataclass(slots=True)
class AgeLimit:
    """What is known: entries before ``oldest``, in nanoseconds, are rejected, as the answer ``text`` says.

    ``rejected`` are entries that Loki is certain to reject and was not sent.
    """

    oldest: int = 0
    rejected: list[Refused] = field(default_factory=list)
    text: str = ""

    def learn(self, text: str) -> None:
        """Take an answer that names the oldest time; the limit only ever moves on."""
        self.oldest, self.text = max(self.oldest, oldest_accepted_in(text)), text

    def collect(self, queue: StreamQueue) -> None:
        """Take what a stream has put aside as too old."""
        self.rejected += [Refused(each, DropReason.TOO_OLD, self.text) for each in queue.too_old]
        queue.too_old.clear()

    def take(self) -> list[Refused]:
        """Return what has to be settled as rejected."""
        rejected, self.rejected = self.rejected, []
        return rejected
