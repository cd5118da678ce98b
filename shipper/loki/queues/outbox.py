"""The queue of pushes, and what each answer from Loki does to it.

Makes decisions only: the caller sends the pushes and returns the answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shipper.entry import DropReason, Entry, Pairs
from shipper.loki.push.answers import (
    Meaning,
    is_own_failure,
    is_queued,
    is_unfinished,
    line_limit_in,
    meaning_of,
    rate_limit_in,
    refusals_in,
    verify_after,
    wait_after,
)
from shipper.loki.push.outcome import Outcome, Refused
from shipper.loki.push.push import Answer, Metadata, Push, Verification
from shipper.loki.queues.age_limit import AgeLimit
from shipper.loki.queues.division import POISON_ATTEMPTS, cut_smaller, halve, is_blocked, send_less
from shipper.loki.queues.metadata_limit import MetadataLimit
from shipper.loki.queues.rate_limit import RateLimit
from shipper.loki.queues.stream_queue import StreamQueue, as_late
from shipper.loki.queues.verification import Verifier

# The interval of retries of parked pushes, of streams above the stream limit and of entries ahead of Loki's
# clock. It is long enough for their cost not to matter.
_DEFERRED_SECONDS = 30.0
# Queries that may be under way at a time: slow ones must not take the threads that push.
_QUERIES = 2


@dataclass(frozen=True, slots=True)
class _Case:
    """An answer and all that bears on it."""

    push: Push
    queue: StreamQueue
    meaning: Meaning
    answer: Answer
    now: float
    jitter: float


class Outbox:
    """The queues of all streams.

    ``retry_max`` bounds a round of retries, after which the status is an error; ``ask`` tells whether Loki
    may be asked what it has; a push has ``most_entries`` at most.
    """

    def __init__(self, retry_max: int, *, ask: bool, most_entries: int) -> None:
        self._retry_max = retry_max
        self._most_entries = most_entries
        self._verifier = Verifier(allowed=ask)
        self._queues: dict[Pairs, StreamQueue] = {}
        self._busy: dict[Pairs, StreamQueue] = {}
        self._next_number, self._successes = 1, 0
        self._rate = RateLimit()
        self.in_flight: dict[int, Push] = {}
        self.metadata = MetadataLimit()
        self.late = 0
        self.age_limit = AgeLimit()

    def add(self, batch: list[Entry]) -> None:
        """Take a batch; all its entries are of one stream."""
        self._queue_of(batch[0].stream).batches.append(batch)

    def verify(self, entries: list[Entry], not_before: float) -> None:
        """Take entries of one stream that an earlier process may have pushed: asked first, then sent."""
        push = Push(0, entries[0].stream, tuple(entries), not_before=not_before, maybe_in_flight=True)
        self._queue_of(push.stream).deferred.append(replace(push, verify=True, deferred=True))

    def take(self, now: float) -> Push | None:
        """Give out the next push that may leave now; streams take turns."""
        if now < self._rate.ready_at():
            return None
        may_verify = sum(each.verify for each in self.in_flight.values()) < _QUERIES
        for queue in list(self._busy.values()):
            queue.oldest_accepted = self.age_limit.oldest
            push = queue.next_push(now, self._rate.largest, may_verify=may_verify)
            self.age_limit.collect(queue)
            moved = self._move_late(queue)
            if push is not None:
                self._busy[queue.stream] = self._busy.pop(queue.stream)
                return self._depart(push, now)
            self._rest(queue)
            if moved:
                return self.take(now)
        return None

    def next_ready(self) -> float | None:
        """Return when waiting alone will make something ready; None when only an answer can."""
        times = [ready for queue in self._busy.values() if (ready := queue.next_ready()) is not None]
        return max(min(times), self._rate.ready_at()) if times else None

    def handle_answer(self, number: int, answer: Answer, now: float, jitter: float) -> Outcome:
        """Bring an answer back; ``jitter`` is in [0, 1)."""
        push = self.in_flight.pop(number)
        queue = self._queues[push.stream]
        del queue.in_flight[number]
        outcome = self._react(_Case(push, queue, meaning_of(answer), answer, now, jitter))
        self._rest(queue)
        return outcome

    def handle_verification(self, number: int, found: Verification, now: float, jitter: float) -> Outcome:
        """Bring the answer to a question back: what Loki has is delivered, the rest goes again."""
        push = self.in_flight.pop(number)
        queue = self._queues[push.stream]
        del queue.in_flight[number]
        outcome = self._verifier.handle(push, queue, found, now)
        if outcome is None:
            asked = replace(push, asked_since=push.asked_since or now)
            return self._repeat(_Case(asked, queue, Meaning.UNKNOWN, Answer(text=found.failed), now, jitter))
        self._rest(queue)
        return outcome

    @property
    def empty(self) -> bool:
        """Tell whether nothing waits and nothing is in flight."""
        return not self._busy

    @property
    def exhausted(self) -> bool:
        """Tell whether a push has used up a round of retries and is still not delivered."""
        return any(push.attempts > self._retry_max for push in self._unfinished())

    @property
    def parked(self) -> list[Push]:
        """Return the pushes that fail while those of other streams may succeed."""
        return [push for queue in self._busy.values() for push in queue.failing]

    @property
    def others_succeed(self) -> bool:
        """Tell whether pushes have succeeded since one of those that wait first failed."""
        return any(push.attempts and push.successes_before < self._successes for push in self._unfinished())

    @property
    def set_aside(self) -> int:
        """How many entries hold up nothing else: they fail while others succeed, or are too new yet."""
        return sum(queue.set_aside for queue in self._busy.values())

    def _unfinished(self) -> Iterable[Push]:
        for queue in self._busy.values():
            yield from (*queue.repeats, *queue.deferred, *queue.in_flight.values())

    def _queue_of(self, stream: Pairs) -> StreamQueue:
        queue = self._queues.get(stream) or StreamQueue(stream, self._most_entries)
        self._queues[stream] = self._busy[stream] = queue
        return queue

    def _move_late(self, queue: StreamQueue) -> bool:
        """Send what is behind its stream on in a stream of its own hour; tell whether anything is."""
        moved, queue.behind = queue.behind, []
        for entry in moved:
            late = as_late(entry)
            self._queue_of(late.stream).batches.append([late])
        self.late += len(moved)
        return bool(moved)

    def _rest(self, queue: StreamQueue) -> None:
        """Look no more at a queue with nothing to do: of thousands, most have nothing."""
        if queue.empty:
            self._busy.pop(queue.stream, None)
            if queue.is_late:
                del self._queues[queue.stream]

    def _depart(self, push: Push, now: float) -> Push:
        numbered = replace(push, number=self._next_number, metadata=self.metadata.at(now))
        self._next_number += 1
        self.in_flight[numbered.number] = numbered
        self._queues[push.stream].in_flight[numbered.number] = numbered
        if not push.verify:
            self._rate.spend(push.size, now)
            self._queues[push.stream].rate.spend(push.size, now)
        return numbered

    def _react(self, case: _Case) -> Outcome:
        push, queue, answer, now = case.push, case.queue, case.answer, case.now
        queue.shut = case.meaning is Meaning.STREAM_COUNT
        match case.meaning:
            case Meaning.DELIVERED:
                return self._deliver(push, queue, now)
            case Meaning.REFUSED:
                return self._refuse(push, queue, answer, now)
            case Meaning.NO_METADATA:
                self.metadata.lower(Metadata.NONE, now)
                return send_less(push, queue)
            case Meaning.TENANT_LIMIT:
                self._rate.slow_down(rate_limit_in(answer.text), push.size, now)
                self._rate.lower_burst(push.size, alone=not self.in_flight)
            case Meaning.STREAM_LIMIT:
                queue.rate.slow_down(rate_limit_in(answer.text), push.size, now)
                queue.rate.lower_burst(push.size, alone=True)
        return self._divide(case) or self._repeat(case)

    def _deliver(self, push: Push, queue: StreamQueue, now: float) -> Outcome:
        self._successes += 1
        self._verifier.backoff = 0
        self._rate.speed_up(now)
        queue.rate.speed_up(now)
        queue.acknowledged(push.entries)
        return Outcome(push, Meaning.DELIVERED, delivered=push.entries)

    def _refuse(self, push: Push, queue: StreamQueue, answer: Answer, now: float) -> Outcome:
        """Settle a refusal: of several entries it hides which, so that each has to be refused alone."""
        if len(push.entries) > 1:
            return self._ask_first(push, queue, Meaning.REFUSED, now, alone=True)
        entry = push.entries[0]
        reasons = refusals_in(answer.text)
        if DropReason.METADATA_TOO_LARGE in reasons and push.metadata:
            self.metadata.lower(Metadata(push.metadata - 1), now)
            return send_less(push, queue)
        if DropReason.LINE_TOO_LONG in reasons:
            limit = line_limit_in(answer.text)
            return Outcome(push, Meaning.REFUSED, too_long=(entry,), line_limit=limit)
        if DropReason.TOO_FAR_BEHIND in reasons and not queue.is_late:
            queue.behind.append(entry)
            self._move_late(queue)
            return Outcome(push, Meaning.REFUSED)
        if DropReason.TOO_NEW in reasons:
            queue.hold_back(push, now + _DEFERRED_SECONDS)
            return Outcome(push, Meaning.REFUSED, wait=_DEFERRED_SECONDS)
        if DropReason.TOO_OLD in reasons:
            self.age_limit.learn(answer.text)
        return Outcome(push, Meaning.REFUSED, refused=(Refused(entry, min(reasons), answer.text),))

    def _divide(self, case: _Case) -> Outcome | None:
        """Send a push of several entries on in smaller ones, where its size or its company is the trouble."""
        if len(case.push.entries) == 1:
            return cut_smaller(case.push, case.meaning, alone=not self.in_flight)
        # Where Loki shards a stream, some of the shards may have taken theirs.
        if case.meaning in {Meaning.STREAM_LIMIT, Meaning.STREAM_COUNT}:
            return self._ask_first(
                case.push, case.queue, case.meaning, case.queue.rate.ready_at(), alone=True
            )
        over_burst = case.meaning is Meaning.TENANT_LIMIT and case.push.size > self._rate.largest
        blocked = is_blocked(case.push, case.meaning, case.answer)
        if case.meaning is Meaning.TOO_LARGE or over_burst or blocked:
            halve(case.push, case.queue)
            return Outcome(case.push, case.meaning)
        return None

    def _ask_first(
        self, push: Push, queue: StreamQueue, meaning: Meaning, not_before: float, *, alone: bool
    ) -> Outcome:
        """Let Loki say which entries of a push it has before they go again; blindly where it cannot."""
        if self._verifier.may_ask(not_before):
            asked = replace(push, verify=True, alone=alone, not_before=not_before)
            queue.repeats.append(asked)
            return Outcome(push, meaning, unknown=True)
        queue.doubt(push.entries)
        return Outcome(push, meaning, unknown=True, maybe_duplicated=len(push.entries))

    def _repeat(self, case: _Case) -> Outcome:
        push, queue = case.push, case.queue
        attempts = push.attempts + 1
        wait = wait_after(attempts, case.jitter, case.answer.retry_after)
        if case.meaning is Meaning.STREAM_COUNT and attempts >= POISON_ATTEMPTS:
            wait = _DEFERRED_SECONDS
        unfinished = is_unfinished(case.answer)
        at_risk = case.meaning is Meaning.UNKNOWN or unfinished
        unknown = (at_risk or push.in_doubt) and not push.verify
        # What is in doubt and was not sent waits for a query: blind repeats may double it.
        waits = push.in_doubt and case.meaning is Meaning.NOT_SENT
        asks = unknown and (waits or self._verifier.may_ask(case.now))
        if asks:
            wait = max(wait, verify_after(case.answer, self._verifier.backoff))
        failed = attempts > self._retry_max and not push.failed_counted
        again = replace(
            push,
            attempts=attempts,
            not_before=case.now + wait,
            failed_counted=push.failed_counted or failed,
            successes_before=push.successes_before if push.attempts else self._successes,
            verify=push.verify or asks,
            maybe_in_flight=push.maybe_in_flight if push.verify else unfinished,
            goes_again=push.goes_again if push.verify else is_own_failure(case.answer),
            verify_backoff=self._verifier.backoff if is_queued(case.answer) else -1,
        )
        poison = attempts >= POISON_ATTEMPTS and self._successes > again.successes_before
        parked = poison and not queue.shut
        if not parked:
            (queue.deferred if push.deferred else queue.repeats).append(again)
        elif len(push.entries) > 1:
            halve(again, queue)
        else:
            queue.deferred.append(replace(again, deferred=True, not_before=case.now + _DEFERRED_SECONDS))
        return Outcome(
            push,
            case.meaning,
            unknown=unknown,
            maybe_duplicated=len(push.entries) if unknown and at_risk and not asks else 0,
            newly_failed=len(push.entries) if failed else 0,
            wait=wait,
            parked=parked,
        )
