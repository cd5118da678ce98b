"""Sends entries again that Loki acknowledged and no longer has. Pure but for ``send``."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from shipper.entry import DropReason, Entry
from shipper.loki.push.answers import Meaning, meaning_of, refusals_in
from shipper.loki.push.push import Answer, Push
from shipper.loki.queues.stream_queue import LATE, SAFE_NANOSECONDS, as_late

# Pushes entries of one stream and returns Loki's answer.
Send = Callable[[Push], Answer]
# Below the 4 MiB that Loki's parts exchange at most, and the burst of most tenants.
_PUSH_BYTES = 1 << 20
_PUSH_ENTRIES = 1000


class StoppedError(Exception):
    """Loki accepts nothing now; the text is its answer."""


def send_again(send: Send, entries: Sequence[Entry]) -> int:
    """Send entries, by stream and in the order of time, and return how many Loki acknowledged.

    The first entry of a push has been acknowledged alone, so that Loki cannot refuse a part of the rest. What
    is too far behind its stream goes under the label ``late``. Raises ``StoppedError``.
    """
    ordered = sorted(entries, key=lambda each: (each.stream, each.timestamp))
    return sum(_send_stream(send, list(each)) for _, each in groupby(ordered, key=lambda entry: entry.stream))


def _send_stream(send: Send, entries: list[Entry]) -> int:
    delivered = 0
    while entries:
        first = entries.pop(0)
        answer = send(Push(0, first.stream, (first,)))
        if DropReason.TOO_FAR_BEHIND in refusals_in(answer.text) and not _is_late(first):
            entries = sorted([as_late(each) for each in (first, *entries)], key=lambda each: each.timestamp)
            return delivered + send_again(send, entries)
        if not _is_taken(answer):
            continue
        delivered += 1
        for push in _pushes(first, entries):
            if not _is_taken(send(push)):
                delivered += sum(_is_taken(send(Push(0, each.stream, (each,)))) for each in push.entries)
            else:
                delivered += len(push.entries)
        entries = [each for each in entries if each.timestamp > first.timestamp + SAFE_NANOSECONDS]
    return delivered


def _is_late(entry: Entry) -> bool:
    return any(name == LATE for name, _ in entry.stream)


def _pushes(first: Entry, entries: Sequence[Entry]) -> Iterator[Push]:
    """Yield what may leave together after ``first`` was acknowledged."""
    held: list[Entry] = []
    size = 0
    for entry in entries:
        if entry.timestamp > first.timestamp + SAFE_NANOSECONDS:
            break
        if held and (size + entry.size > _PUSH_BYTES or len(held) >= _PUSH_ENTRIES):
            yield Push(0, first.stream, tuple(held))
            held, size = [], 0
        held.append(entry)
        size += entry.size
    if held:
        yield Push(0, first.stream, tuple(held))


def _is_taken(answer: Answer) -> bool:
    """Tell whether Loki has acknowledged a push. Raises ``StoppedError`` where it accepts nothing."""
    meaning = meaning_of(answer)
    if meaning is Meaning.DELIVERED:
        return True
    if meaning in {Meaning.REFUSED, Meaning.TOO_LARGE, Meaning.STREAM_LIMIT}:
        return False
    raise StoppedError(" ".join(f"{answer.silence or answer.status} {answer.text}".split()))
