"""One text as ranges of another and what is new in it. docs/record-format.md has the form."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from groundwork.utf8 import quote
from proxy.recording.delta.checksum import same_range
from proxy.recording.delta.outline import NEW, Key, Outline, Run, compared

# A shorter range amid new text reads better as text, and takes about as many bytes.
_SHORTEST_RANGE = 64


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of the base, or, without a ``source``, new text; ``start`` is in the text itself."""

    start: int
    length: int
    source: int | None


@dataclass(frozen=True, slots=True)
class Delta:
    """A text by its ranges, in order; joined they are the text."""

    text: bytes
    ranges: Sequence[Range]

    @property
    def texts(self) -> Iterator[bytes]:
        """What is new, piece by piece."""
        new = (each for each in self.ranges if each.source is None)
        return (self.text[each.start : each.start + each.length] for each in new)

    @property
    def new(self) -> int:
        """Bytes of new text."""
        return sum(each.length for each in self.ranges if each.source is None)

    def encode(self, base: int, sha256: str) -> bytes:
        """Return the value of ``body_delta``; ``base`` is the ``seq`` of the request with the other text."""
        pieces = b",".join(map(self._piece, self.ranges))
        return b'{"base":%d,"size":%d,"sha256":"%b","pieces":[%b]}' % (
            base,
            len(self.text),
            sha256.encode(),
            pieces,
        )

    def _piece(self, each: Range) -> bytes:
        if each.source is not None:
            return b"[%d,%d]" % (each.source, each.length)
        return quote(self.text[each.start : each.start + each.length])


def delta_of(text: bytes, base: Outline, key: Key = hash) -> tuple[Outline, Delta | None]:
    """Return a text's outline, and the text by ranges of ``base``.

    There is no delta where two different pieces have the same key.
    """
    outline, runs = compared(text, base, key)
    if not all(_holds(run, outline, base) for run in runs):
        return outline, None
    return outline, Delta(text, list(_joined(_ranges(runs, outline, base))))


def _holds(run: Run, text: Outline, base: Outline) -> bool:
    if run.source == NEW:
        return True
    first, last = run.first, run.first + run.count
    here = text.sums[first], text.sums[last]
    there = base.sums[run.source], base.sums[run.source + run.count]
    return same_range(here, there, text.places[last] - text.places[first])


def _ranges(runs: Iterable[Run], text: Outline, base: Outline) -> Iterator[Range]:
    for run in runs:
        start = text.places[run.first]
        length = text.places[run.first + run.count] - start
        yield Range(start, length, None if run.source == NEW else base.places[run.source])


def _joined(ranges: Iterable[Range]) -> Iterator[Range]:
    """Yield what follows on each other as one range, and short ranges as text."""
    long = (
        each if (each.length >= _SHORTEST_RANGE) else Range(each.start, each.length, None)
        for each in _joined_sources(ranges)
    )
    for is_new, group in groupby(long, key=lambda each: each.source is None):
        if not is_new:
            yield from group
            continue
        texts = list(group)
        yield Range(texts[0].start, sum(each.length for each in texts), None)


def _joined_sources(ranges: Iterable[Range]) -> Iterator[Range]:
    last: Range | None = None
    for each in ranges:
        if last is not None and last.source is not None and each.source == last.source + last.length:
            last = Range(last.start, last.length + each.length, last.source)
            continue
        if last is not None:
            yield last
        last = each
    if last is not None:
        yield last
