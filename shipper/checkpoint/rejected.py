"""The list of what Loki refused for good: references, as the session file is the copy.

One row an entry, or one for neighbouring lines that were rejected unsent; the ``lines`` of a reason add up to
its ``entries_dropped``. What went through later stands in a second list, and what an operator has accepted as
lost in a third, beside which a shipper appends here.
"""

import hashlib
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import orjson

from groundwork.disk.files import open_below
from shipper.checkpoint.append import append
from shipper.entry import Span

_NAME = "rejected.jsonl"
_REDELIVERED = "redelivered.jsonl"
_ACCEPTED = "accepted.jsonl"
# An answer can list many entries; its beginning names the rule that was broken.
_ANSWER_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Rejection:
    """A reference to the bytes ``[start, end)`` of ``file``.

    ``sha256`` is of the line that was pushed: the file's own, or part ``part`` of it with the ``timestamp``
    that it had, in nanoseconds. Bytes that were gone before they were read have neither. Of several ``lines``
    it is of all of them, without the last newline, and ``timestamp`` is that of the first.
    """

    file: str
    start: int
    end: int
    sha256: str
    reason: str
    answer: str = ""
    timestamp: int = 0
    part: int = 0
    lines: int = 1


class Places:
    """Where the rejected entries of one file are: ``(offset of the line, part) in places``."""

    def __init__(self, rejections: Collection[Rejection] = ()) -> None:
        ranges = sorted((each.start, each.end) for each in rejections if each.lines > 1)
        self._starts, self._ends = [start for start, _ in ranges], [end for _, end in ranges]
        self._single = {(each.start, each.part) for each in rejections if each.lines == 1}

    def __contains__(self, place: object) -> bool:
        """Tell whether an entry there was rejected."""
        index = bisect_right(self._starts, place[0]) - 1 if isinstance(place, tuple) else -1
        return place in self._single or (index >= 0 and self._has(index, place))

    def _has(self, index: int, place: object) -> bool:
        return isinstance(place, tuple) and bool(place[0] < self._ends[index])


_DECODER = msgspec.json.Decoder(Rejection)


def rejection(file: str, span: Span, *, reason: str, line: bytes = b"", answer: str = "") -> Rejection:
    """Return the reference to an entry, or to bytes that are gone."""
    digest = hashlib.sha256(line).hexdigest() if line else ""
    return Rejection(file, span.start, span.end, digest, reason, answer[:_ANSWER_CHARACTERS])


class RejectedList:
    """``rejected.jsonl`` and its two companions in one state folder. All but ``add`` may read.

    Reading and writing raise ``OSError``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closed_sizes: tuple[int, int] | None = None
        self._read_to = 0
        self._named: set[str] = set()
        self._files: set[str] = set()
        self._lines: Counter[str] = Counter()

    def add(self, *rejected: Rejection) -> None:
        """Append refusals: all of them, or none."""
        self._append(_NAME, *rejected)

    def redelivered(self, rejected: Rejection) -> None:
        """Note that what was refused has gone through since."""
        self._append(_REDELIVERED, rejected)

    def accept(self, rejected: Iterable[Rejection]) -> None:
        """Note that an operator takes refusals for lost."""
        self._append(_ACCEPTED, *rejected)

    def open(self) -> list[Rejection]:
        """Return the refusals that nobody has accepted and that have not gone through since, oldest first.

        Torn lines are left out.
        """
        accepted = set(self._rows(_ACCEPTED))
        return [each for each in self.undelivered() if each not in accepted]

    def undelivered(self) -> list[Rejection]:
        """Return the refusals that have not gone through since, oldest first."""
        through = set(self._rows(_REDELIVERED))
        return [each for each in self._rows(_NAME) if each not in through]

    def files(self) -> Collection[str]:
        """Return the paths of the files with open refusals; only what the lists have grown by is read."""
        self._read_on()
        return self._files

    def names(self, path: str) -> bool:
        """Tell whether anything of a file was ever refused."""
        self._read_on()
        return path in self._named

    def lines(self) -> Mapping[str, int]:
        """Return how many lines are open, by reason; only what the lists have grown by is read."""
        self._read_on()
        return self._lines

    def _read_on(self) -> None:
        closed_sizes, size = (self._size(_REDELIVERED), self._size(_ACCEPTED)), self._size(_NAME)
        if closed_sizes == self._closed_sizes and size == self._read_to:
            return
        closed: set[Rejection] = set()
        if closed_sizes != self._closed_sizes or size < self._read_to:
            self._files, self._lines, self._read_to = set(), Counter(), 0
            closed.update(self._rows(_REDELIVERED), self._rows(_ACCEPTED))
        for each in self._rows(_NAME, self._read_to, size):
            self._named.add(each.file)
            if each not in closed:
                self._files.add(each.file)
                self._lines[each.reason] += each.lines
        self._closed_sizes, self._read_to = closed_sizes, size

    def _size(self, name: str) -> int:
        try:
            return (self._folder / name).stat().st_size
        except FileNotFoundError:
            return 0

    def _rows(self, name: str, start: int = 0, end: int | None = None) -> list[Rejection]:
        try:
            with os.fdopen(open_below(self._folder, self._folder / name, os.O_RDONLY), "rb") as file:
                file.seek(start)
                lines = file.read(-1 if end is None else end - start).splitlines()
        except FileNotFoundError:
            return []
        return [row for line in lines if (row := _row(line)) is not None]

    def _append(self, name: str, *rows: Rejection) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        descriptor = open_below(self._folder, self._folder / name, flags, make=True)
        try:
            append(
                descriptor,
                b"".join(orjson.dumps(asdict(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows),
            )
        finally:
            os.close(descriptor)


def _row(line: bytes) -> Rejection | None:
    try:
        return _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
