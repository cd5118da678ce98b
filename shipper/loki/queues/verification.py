"""Verification: whether to query Loki for the entries of a push, and what the result means."""

from dataclasses import dataclass, replace

from shipper.entry import Entry
from shipper.loki.push.answers import Meaning
from shipper.loki.push.outcome import Outcome
from shipper.loki.push.push import Push, Verification
from shipper.loki.queues.stream_queue import StreamQueue

# After Loki refused a query, the next one waits this long: permissions and gateways rarely change.
_REFUSED_SECONDS = 600.0
# A query that fails for this long is given up, and none is made for as long: pushes may work meanwhile.
_PATIENCE_SECONDS = 30.0


@dataclass(slots=True)
class Verifier:
    """Whether to ask Loki; ``backoff`` counts pushes that were not there in time."""

    allowed: bool
    backoff: int = 0
    _next_at: float = 0.0

    def may_ask(self, now: float) -> bool:
        """Tell whether Loki may be asked now."""
        return self.allowed and now >= self._next_at

    def handle(self, push: Push, queue: StreamQueue, found: Verification, now: float) -> Outcome | None:
        """Take an answer: what Loki has is delivered, the rest goes again; ``None`` asks once more.

        Of a push that ``goes_again`` all entries go: Loki may have them on one node of several.
        """
        if found.failed:
            return self._give_up(push, queue, found, now)
        if found.cannot:
            self._next_at = now + _REFUSED_SECONDS
        stored = () if push.goes_again else tuple(each for each in push.entries if each in found.stored)
        if stored:
            queue.acknowledged(stored)
        settled = frozenset(stored)
        rest = tuple(each for each in push.entries if each not in settled)
        _send(push, queue, rest, in_doubt=False)
        if push.maybe_in_flight and rest:
            self.backoff = max(self.backoff, push.verify_backoff + 1)
        at_risk = len(found.unknown) + (len(found.stored) if push.goes_again else 0)
        return Outcome(
            push,
            Meaning.VERIFIED,
            delivered=stored,
            maybe_duplicated=len(rest) if push.maybe_in_flight else at_risk,
        )

    def _give_up(self, push: Push, queue: StreamQueue, found: Verification, now: float) -> Outcome | None:
        """Send entries again without an answer, once queries have failed for long enough.

        A Loki that cannot be reached takes no pushes either: it is asked until it answers.
        """
        if found.unreachable or not push.asked_since or now - push.asked_since < _PATIENCE_SECONDS:
            return None
        self._next_at = now + _PATIENCE_SECONDS
        _send(push, queue, push.entries, in_doubt=True)
        return Outcome(push, Meaning.VERIFIED, maybe_duplicated=len(push.entries), unanswered=found.failed)


def _send(push: Push, queue: StreamQueue, rest: tuple[Entry, ...], *, in_doubt: bool) -> None:
    if push.alone:
        queue.doubt(rest)
    elif rest:
        again = replace(push, entries=rest, verify=False, deferred=False, not_before=0.0, asked_since=0.0)
        queue.repeats.appendleft(replace(again, maybe_in_flight=False, goes_again=False, in_doubt=in_doubt))
