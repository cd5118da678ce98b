"""The lines of a session's file, in order, and any of them again."""

import os
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from groundwork.disk.files import open_below


class FileLines:
    """The lines of a file, without their newlines; holds one of them in memory and a number for each."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._starts = array("Q", [0])
        self.torn = 0
        """Bytes behind the last newline, once all lines were read: a line that is not whole yet."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the whole lines that were not yielded yet. Raises ``OSError``."""
        self._file.seek(self._starts[-1])
        for line in self._file:
            if not line.endswith(b"\n"):
                self.torn = len(line)
                return
            self._starts.append(self._starts[-1] + len(line))
            yield line[:-1]

    def __len__(self) -> int:
        """Return how many lines were read by now."""
        return len(self._starts) - 1

    def again(self, number: int) -> bytes:
        """Return a line that was read, the first as 0. Raises ``OSError``."""
        start, end = self._starts[number], self._starts[number + 1]
        return os.pread(self._file.fileno(), end - start, start)[:-1]


@contextmanager
def lines_of_file(path: Path) -> Iterator[FileLines]:
    """Read a session's file. Raises ``OSError``."""
    with os.fdopen(open_below(path.parent, path, os.O_RDONLY), "rb") as file:
        yield FileLines(file)


@contextmanager
def kept(lines: Iterable[bytes]) -> Iterator[FileLines]:
    """Keep lines in a file without a name, so that each can be read again. Raises ``OSError``."""
    with tempfile.TemporaryFile() as file:
        file.writelines(line + b"\n" for line in lines)
        file.seek(0)
        yield FileLines(file)


def file_of(log_dir: Path, session: str) -> Path | None:
    """Return the file of a session in a log folder: ``<host>/<day>/<session>.jsonl``."""
    return next(iter(sorted(log_dir.glob(f"*/*/{glob_of(session)}.jsonl"))), None)


def glob_of(name: str) -> str:
    """Return a pattern that fits a name only."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in name)
