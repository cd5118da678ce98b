"""The followed files as a person wants to see them: what needs attention first."""

import heapq
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from shipper.source.followed import TrackedFile

# More than a screen holds, and few enough for a page of well under 100 KB.
MOST_ROWS = 200


class FileState(StrEnum):
    """What is the matter with a file, the worst first."""

    PARKED = "parked"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    WAITING = "waiting"
    TORN = "torn"
    DONE = "done"


_ORDER = {state: place for place, state in enumerate(FileState)}


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file: ``settled`` of its ``size`` bytes are in Loki or refused for good, ``waiting`` are neither.

    A torn last line, which has no newline yet, is not waiting. ``changed_at`` is in seconds since 1970, and 0
    where the file was not looked at.
    """

    path: str
    size: int
    settled: int
    waiting: int
    state: FileState
    changed_at: float


class Survey(NamedTuple):
    """How many files there are, and those of them that need attention most."""

    total: int = 0
    rows: tuple[FileRow, ...] = ()


class Trouble(NamedTuple):
    """What is known to be wrong: ids of files that cannot be read or pushed, and paths with refusals."""

    parked: Collection[int] = ()
    unreadable: Collection[int] = ()
    refused: Collection[str] = ()


def survey(
    files: Iterable[TrackedFile], offset_of: Callable[[int], int], root: str, trouble: Trouble
) -> Survey:
    """Return the files below ``root`` that need attention most, at most ``MOST_ROWS``.

    ``offset_of`` tells by its id up to where a file is settled.
    """
    rows = [_row(each, offset_of(each.file_id), root, trouble) for each in files if not each.lost_at]
    return Survey(len(rows), tuple(sorted_by_need(rows)))


def sorted_by_need(rows: Iterable[FileRow]) -> list[FileRow]:
    """Return the rows that need attention most: by state, by what waits, and the latest first."""
    return heapq.nsmallest(
        MOST_ROWS, rows, key=lambda row: (_ORDER[row.state], -row.waiting, -row.changed_at, row.path)
    )


def _row(file: TrackedFile, settled: int, root: str, trouble: Trouble) -> FileRow:
    waiting = max(0, file.size - file.torn - settled)
    return FileRow(
        shown_path(file.path, root), file.size, settled, waiting,
        _state(file, waiting, trouble), file.modified_ns / 1e9,
    )  # fmt: skip


def _state(file: TrackedFile, waiting: int, trouble: Trouble) -> FileState:
    if file.file_id in trouble.parked:
        return FileState.PARKED
    if file.file_id in trouble.unreadable:
        return FileState.UNREADABLE
    if file.path in trouble.refused:
        return FileState.REFUSED
    if waiting:
        return FileState.WAITING
    return FileState.TORN if file.torn else FileState.DONE


def shown_path(path: str, root: str) -> str:
    """Return a path below ``root`` without it; bytes that are no text are written out, to be shown."""
    return path.removeprefix(root + "/").encode("utf-8", "backslashreplace").decode()
