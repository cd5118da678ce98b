"""Where a long line is cut so that each slice, written into a part, is no longer than Loki takes."""

import codecs
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

# Characters that are measured at once.
_STEP = 8192
_BASE64_IN, _BASE64_OUT = 3, 4


@dataclass(frozen=True, slots=True)
class Slices:
    """A line's size and SHA-256, whether it is valid UTF-8, and where each of its slices begins."""

    size: int
    sha256: str
    is_text: bool
    starts: Sequence[int]

    @property
    def count(self) -> int:
        """How many slices there are."""
        return len(self.starts)

    def bounds(self, number: int) -> tuple[int, int]:
        """Return where the ``number``-th slice, from 0, begins and ends."""
        following = self.starts[number + 1] if number + 1 < self.count else self.size
        return self.starts[number], following


def cut(blocks: Iterable[bytes], room: int, binary_room: int) -> Slices:
    """Survey a line in one pass, without holding it.

    A slice of text takes at most ``room`` bytes once it is escaped as JSON, and is cut on a border of
    characters; one of a line that is no text takes at most ``binary_room`` bytes as base64.
    """
    digest = hashlib.sha256()
    measure = _Measure(room)
    size = 0
    for block in blocks:
        digest.update(block)
        measure.feed(block)
        size += len(block)
    is_text = measure.ends_as_text()
    step = binary_room // _BASE64_OUT * _BASE64_IN
    return Slices(size, digest.hexdigest(), is_text, measure.starts if is_text else range(0, size, step))


class _Measure:
    """Finds the borders of slices of text; gives up at the first byte that is none."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_text = True
        self._used = 0
        self._at = 0
        self.starts = [0]

    def feed(self, block: bytes) -> None:
        if not self._is_text:
            return
        try:
            text = self._decoder.decode(block)
        except UnicodeDecodeError:
            self._is_text = False
            return
        for start in range(0, len(text), _STEP):
            self._take(text[start : start + _STEP])

    def ends_as_text(self) -> bool:
        """Tell whether all was text, down to the last character."""
        return self._is_text and not self._decoder.getstate()[0]

    def _take(self, text: str) -> None:
        while (size := _escaped_size(text)) > self._room - self._used:
            count = _longest_prefix(text, self._room - self._used)
            self._at += _size(text[:count])
            self._used = 0
            self.starts.append(self._at)
            text = text[count:]
        self._used += size
        self._at += _size(text)


def _longest_prefix(text: str, room: int) -> int:
    """Return how many first characters fit."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _escaped_size(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _escaped_size(text: str) -> int:
    """Return how many bytes a text takes as JSON."""
    return len(orjson.dumps(text)) - 2


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
