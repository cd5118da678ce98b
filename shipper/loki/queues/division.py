"""Divides what does not pass as a whole: pushes of several entries, and single lines."""

from dataclasses import replace

from shipper.loki.push.answers import Meaning
from shipper.loki.push.outcome import Outcome
from shipper.loki.push.push import Answer, Push
from shipper.loki.queues.stream_queue import StreamQueue

# If a push fails this often while others succeed, the cause is the push and not Loki.
POISON_ATTEMPTS = 5
# What a filter before Loki answers to content that it blocks.
FILTERED = frozenset({400, 403, 406, 418, 451})
# A line is not cut to smaller parts than this: the envelope of a part would outweigh its content.
_LEAST_PART_BYTES = 16 * 1024
_RATE_LIMITS = frozenset({Meaning.TENANT_LIMIT, Meaning.STREAM_LIMIT})
_BURST_ATTEMPTS = 3


def halve(push: Push, queue: StreamQueue) -> None:
    """Send a push on as two, next of all; that it has failed before stays known."""
    middle = len(push.entries) // 2
    for half in (push.entries[middle:], push.entries[:middle]):
        queue.repeats.appendleft(replace(push, entries=half, attempts=min(push.attempts, 1)))


def send_less(push: Push, queue: StreamQueue) -> Outcome:
    """Send a push on next of all; with less metadata, as Loki takes no more."""
    queue.repeats.appendleft(push)
    return Outcome(push, Meaning.NO_METADATA)


def cut_smaller(push: Push, meaning: Meaning, *, alone: bool) -> Outcome | None:
    """Have the line of a push that is too large as one entry cut to smaller parts, if that may help.

    ``alone`` tells that no other push is under way. What a rate limit refuses alone several times is above
    its burst, and can never pass: no answer names the burst.
    """
    entry = push.entries[0]
    over_burst = meaning in _RATE_LIMITS and alone and push.attempts >= _BURST_ATTEMPTS
    if not (meaning is Meaning.TOO_LARGE or over_burst) or entry.length <= _LEAST_PART_BYTES:
        return None
    limit = max(_LEAST_PART_BYTES, entry.length // 2)
    return Outcome(push, meaning, too_long=(entry,), line_limit=limit)


def is_blocked(push: Push, meaning: Meaning, answer: Answer) -> bool:
    """Tell whether something before Loki may refuse a push for a line in it, which smaller ones show."""
    return meaning is Meaning.HOLD and answer.status in FILTERED and push.attempts >= POISON_ATTEMPTS
