"""From entries to settled entries: gather, push, and tell what came back."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from shipper.checkpoint.inflight import InflightLog
from shipper.config import LokiSettings
from shipper.entry import Entry, Pairs, Span
from shipper.loki.advice import BLOCKED, QUERIES, advice_on
from shipper.loki.push.answers import SETTLED_SECONDS, Meaning, is_own_failure
from shipper.loki.push.outcome import Outcome
from shipper.loki.push.push import Answer, Metadata, Push, Verification
from shipper.loki.push.workers import PUSHERS
from shipper.loki.queues.age_limit import AgeLimit
from shipper.loki.queues.batcher import Batcher
from shipper.loki.queues.division import FILTERED
from shipper.loki.queues.outbox import Outbox
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics

_MOVES = frozenset({Meaning.DELIVERED, Meaning.REFUSED, Meaning.VERIFIED})
# Enough of an answer to name the rule that was broken.
_REASON_CHARACTERS = 300


class Delivery:
    """What waits for Loki. Pushes leave through ``submit``; ``jitter`` returns a number in [0, 1)."""

    def __init__(
        self,
        settings: LokiSettings,
        reporter: Reporter,
        metrics: Metrics,
        *,
        log: InflightLog,
        submit: Callable[[Push], None],
        jitter: Callable[[], float],
    ) -> None:
        self._reporter = reporter
        self._url = settings.url
        self._metrics = metrics
        self._submit = submit
        self._jitter = jitter
        self._log = log
        self._log_fails = False
        self._metadata_told = Metadata.ALL
        self._now = 0.0
        self._verifier: dict[Pairs, list[Entry]] = {}
        self._questions_pushed = 0.0
        self._batch_wait = settings.batch_wait
        self._batcher = Batcher(settings.batch_size, settings.batch_wait)
        self._outbox = Outbox(
            settings.retry_max, ask=settings.verify_on_start, most_entries=settings.batch_size
        )
        self.waiting_since: float | None = None
        metrics.pushes.update(dict.fromkeys(Meaning, 0))

    @property
    def in_flight(self) -> int:
        """How many pushes are under way."""
        return len(self._outbox.in_flight)

    @property
    def exhausted(self) -> bool:
        """Tell whether a push has used up its retries, or fails while others succeed."""
        return self._outbox.exhausted or bool(self._outbox.parked)

    @property
    def set_aside(self) -> int:
        """How many entries hold up nothing else."""
        return self._outbox.set_aside

    @property
    def parked(self) -> list[Span]:
        """Return the lines that fail while others succeed."""
        return [push.entries[0].span for push in self._outbox.parked]

    @property
    def metadata(self) -> Metadata:
        """How much structured metadata Loki takes, as far as is known."""
        return self._outbox.metadata.most

    def add(self, entries: Sequence[Entry], now: float) -> None:
        """Take entries."""
        by_stream: dict[Pairs, list[Entry]] = {}
        for entry in entries:
            by_stream.setdefault(entry.stream, []).append(entry)
        for each in by_stream.values():
            for batch in self._batcher.add(each, now):
                self._outbox.add(batch)

    def verify(self, entry: Entry, pushed: float) -> None:
        """Take an entry that an earlier process may have pushed, at a time in seconds since 1970."""
        self._questions_pushed = max(pushed, self._questions_pushed)
        self._verifier.setdefault(entry.stream, []).append(entry)

    def gather(self, now: float, wall: float, *, hurry: bool, more: bool = False) -> None:
        """Let batches go that have waited long enough, here or in their file; in a hurry, all of them.

        While there is ``more`` to read at once, batches are filled first.
        """
        recorded_by = -1 if more else int((wall - self._batch_wait) * 1e9)
        for batch in self._batcher.flush() if hurry else self._batcher.due(now, recorded_by):
            self._outbox.add(batch)
        # A push goes on in Loki for a while after its process has died.
        since = min(max(0.0, wall - self._questions_pushed), SETTLED_SECONDS)
        for entries in self._verifier.values():
            self._outbox.verify(entries, now + SETTLED_SECONDS - since)
        self._verifier = {}

    def push(self, now: float, wall: float) -> bool:
        """Send what may leave now, and tell whether anything did."""
        self._now = now
        before = self.in_flight
        while self.in_flight < PUSHERS and (push := self._outbox.take(now)) is not None:
            if self.waiting_since is None:
                self.waiting_since = now
            if not push.verify:
                self._note(partial(self._log.begin, push.number, push.entries, wall))
            self._submit(push)
        self._count_late()
        return self.in_flight > before

    @property
    def age_limit(self) -> AgeLimit:
        """The age that Loki accepts, as far as is known, and entries that it is known to reject."""
        return self._outbox.age_limit

    def next_due(self) -> float | None:
        """Return when waiting alone makes something ready; what is ready now and has not left cannot."""
        ready = self._outbox.next_ready() if self.in_flight < PUSHERS else None
        times = [each for each in (ready, self._batcher.next_due()) if each is not None and each > self._now]
        return min(times, default=None)

    def handle_answer(self, number: int, answer: Answer | Verification, now: float, wall: float) -> Outcome:
        """Take an answer of Loki's, and tell what it did."""
        if isinstance(answer, Verification):
            outcome = self._outbox.handle_verification(number, answer, now, self._jitter())
            reason, advice = f"query: {answer.failed or answer.cannot}", QUERIES
        else:
            outcome = self._outbox.handle_answer(number, answer, now, self._jitter())
            reason, advice = _reason(answer), self._advice_on(answer)
            self._metrics.answered(answer.status)
        self._remember(outcome, goes_again=isinstance(answer, Answer) and is_own_failure(answer))
        self._count(outcome)
        if outcome.meaning is Meaning.DELIVERED:
            self._count_delivered(outcome)
        elif outcome.meaning is not Meaning.VERIFIED:
            self._metrics.failed(reason, wall, advice)
            self._count_trouble(outcome, reason)
        elif outcome.unanswered:
            self._metrics.failed(reason, wall, advice)
            self._reporter.report(
                Event.QUERY_GIVEN_UP, reason=outcome.unanswered, entries=len(outcome.push.entries)
            )
        if outcome.meaning in _MOVES and not outcome.wait:
            self.waiting_since = None if self._outbox.empty else now
        return outcome

    def _advice_on(self, answer: Answer) -> str:
        """Return what to do; while other pushes succeed, a 403 is about a line and not the credentials."""
        if answer.status in FILTERED and self._outbox.others_succeed:
            return BLOCKED
        return advice_on(answer, self._url)

    def _remember(self, outcome: Outcome, *, goes_again: bool) -> None:
        """Write down what an answer has settled, for a process that comes after a crash."""
        number = outcome.push.number
        if outcome.meaning is Meaning.DELIVERED:
            self._note(partial(self._log.done, number))
        elif outcome.meaning is Meaning.VERIFIED:
            self._note(partial(self._log.stored, outcome.delivered))
        elif goes_again or not outcome.unknown:
            self._note(partial(self._log.void, number))

    def _note(self, write: Callable[[], None]) -> None:
        """Write to the in-flight log; without it a crash costs copies, so that delivery goes on."""
        try:
            write()
        except OSError as exc:
            reason = f"in-flight log: {exc.strerror or exc}"
            self._reporter.report(Event.CHECKPOINT_FAILED, quiet=self._log_fails, reason=reason)
            self._log_fails = True
        else:
            self._log_fails = False

    def _count(self, outcome: Outcome) -> None:
        metrics = self._metrics
        metrics.pushes[outcome.meaning] += 1
        metrics.maybe_duplicated += outcome.maybe_duplicated
        again = outcome.again
        metrics.entries_retried += len(again)
        metrics.bytes_retried += sum(each.size for each in again)

    def _count_late(self) -> None:
        more = self._outbox.late - self._metrics.entries_late
        if more:
            self._metrics.entries_late += more
            self._reporter.report(Event.ENTRY_LATE, times=more, quiet=True)

    def _count_delivered(self, outcome: Outcome) -> None:
        self._metrics.batches_sent += 1
        self._metrics.bytes_sent += outcome.push.size
        self._reporter.report(Event.PUSH_DELIVERED, quiet=True)

    def _count_trouble(self, outcome: Outcome, reason: str) -> None:
        push, metrics = outcome.push, self._metrics
        metrics.entries_failed += outcome.newly_failed
        fields: dict[str, Any] = {
            "entries": len(push.entries),
            "bytes": push.size,
            "attempt": push.attempts + 1,
        }
        if outcome.parked:
            self._reporter.report(Event.PUSH_PARKED, reason=reason, **fields)
        elif outcome.wait:
            metrics.retries += 1
            self._reporter.report(
                Event.PUSH_FAILED, reason=reason, wait_seconds=round(outcome.wait, 3), **fields
            )
        elif outcome.meaning is Meaning.NO_METADATA:
            self._tell_less_metadata()
        elif len(push.entries) > 1:
            self._reporter.report(Event.PUSH_DIVIDED, reason=reason, **fields)

    def _tell_less_metadata(self) -> None:
        event = Event.METADATA_LESS if self._outbox.metadata.most else Event.METADATA_OFF
        self._reporter.report(event, quiet=self._metadata_told is self._outbox.metadata.most)
        self._metadata_told = self._outbox.metadata.most


def _reason(answer: Answer) -> str:
    kind = str(answer.silence or answer.status)
    text = answer.text.strip()[:_REASON_CHARACTERS]
    return f"{kind}: {text}" if text else kind
