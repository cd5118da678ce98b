"""What is kept of a text: the places of its pieces, a key and a checksum for each, and none of its bytes."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from zlib import crc32

from proxy.recording.delta.cuts import cuts

Key = Callable[[memoryview], int]
"""Tells pieces apart: 64 bits, signed. ``hash`` is keyed anew in each process, so nobody can aim at it."""

# Pieces that are no part of the other text.
NEW = -1
# Pieces that are known together: what texts begin with is compared some 30 KB at a time.
_GROUP = 32
_FIXED_BYTES = 576
_PIECE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Outline:
    """A text of n pieces: ``places`` has n + 1 rising offsets from 0 to its size, ``keys`` n.

    ``sums`` are the CRC-32 of the text up to each place. ``groups`` are the keys of each 32 pieces together;
    the last ones that fill no group have none.
    """

    places: "array[int]"
    keys: "array[int]"
    sums: "array[int]"
    groups: "array[int]"

    @property
    def size(self) -> int:
        """The text's bytes."""
        return self.places[-1]

    @property
    def cost(self) -> int:
        """About how many bytes of memory this takes."""
        return _FIXED_BYTES + _PIECE_BYTES * len(self.keys) + self.groups.itemsize * len(self.groups)


@dataclass(frozen=True, slots=True)
class Run:
    """Pieces of a text from ``first`` on; the same as those of the other from ``source`` on, or ``NEW``."""

    first: int
    count: int
    source: int


def outline_of(text: bytes, key: Key = hash) -> Outline:
    """Return the outline of a text that is like no other."""
    places = array("I", [0, *cuts(text, 0, len(text)), len(text)])
    view = memoryview(text)
    keys = array("q", map(key, _slices(view, places)))
    return Outline(places, keys, array("I", _sums(view, places, 0)), _groups(view, places, key))


def compared(text: bytes, base: Outline, key: Key = hash) -> tuple[Outline, list[Run]]:
    """Return the outline of a text that has much in common with ``base``, and its pieces in runs.

    What both begin and end with is found piece by piece without being cut; only what stands between is cut.
    """
    view = memoryview(text)
    front = front_of(view, base, key)
    back = _back_of(view, base, front, key)
    rest = len(base.keys) - back
    moved = len(text) - base.size
    start, stop = base.places[front], base.places[rest] + moved
    middle = array("I", [start, *cuts(text, start, stop), stop] if start < stop else [start])
    middle_keys = array("q", map(key, _slices(view, middle)))
    places = base.places[:front] + middle + array("I", (place + moved for place in base.places[rest + 1 :]))
    sums = base.sums[:front] + array("I", _sums(view, places[front:], crc32(view[:start])))
    runs = [Run(0, front, 0)]
    runs += (Run(front + at, 1, source) for at, source in enumerate(_sources(middle, middle_keys, base)))
    runs.append(Run(front + len(middle_keys), back, rest))
    groups = base.groups[: front // _GROUP]
    groups += _groups(view, places[len(groups) * _GROUP :], key)
    outline = Outline(places, base.keys[:front] + middle_keys + base.keys[rest:], sums, groups)
    return outline, [run for run in runs if run.count]


def front_of(view: memoryview, base: Outline, key: Key = hash) -> int:
    """Return how many pieces of ``base`` a text begins with."""
    most = bisect_right(base.places, len(view)) - 1
    groups = _slices(view, base.places[: most + 1 : _GROUP])
    first = _GROUP * _same(groups, base.groups, key)
    return first + _same(_slices(view, base.places[first : most + 1]), base.keys[first:], key)


def _same(pieces: Iterable[memoryview], keys: Iterable[int], key: Key) -> int:
    """Return how many of the first pieces have these keys."""
    return sum(
        1 for _ in takewhile(bool, (key(piece) == one for piece, one in zip(pieces, keys, strict=False)))
    )


def _groups(view: memoryview, places: "array[int]", key: Key) -> "array[int]":
    return array("q", map(key, _slices(view, places[::_GROUP])))


def _back_of(view: memoryview, base: Outline, front: int, key: Key) -> int:
    """Return how many pieces of ``base`` a text ends with, none of them in its first ``front``."""
    places, keys = base.places, base.keys
    moved = len(view) - base.size
    at = len(keys)
    while at > front and places[at - 1] + moved >= places[front]:
        if key(view[places[at - 1] + moved : places[at] + moved]) != keys[at - 1]:
            break
        at -= 1
    return len(keys) - at


def _sources(places: Sequence[int], keys: Sequence[int], base: Outline) -> Iterator[int]:
    """Yield for each piece the same piece of ``base``, or ``NEW``, preferably what follows the last."""
    known = {key: at for at, key in zip(range(len(base.keys) - 1, -1, -1), reversed(base.keys), strict=True)}
    following = len(base.keys)
    for at, key in enumerate(keys):
        goes_on = following < len(base.keys) and base.keys[following] == key
        source = following if goes_on else known.get(key, NEW)
        if source != NEW and _length(base.places, source) != places[at + 1] - places[at]:
            source = NEW
        if source != NEW:
            following = source + 1
        yield source


def _length(places: Sequence[int], at: int) -> int:
    return places[at + 1] - places[at]


def _slices(view: memoryview, places: Sequence[int]) -> Iterator[memoryview]:
    return map(view.__getitem__, map(slice, places, places[1:]))


def _sums(view: memoryview, places: Sequence[int], value: int) -> Iterator[int]:
    yield value
    for piece in _slices(view, places):
        value = crc32(piece, value)
        yield value
