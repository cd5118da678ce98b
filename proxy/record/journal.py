"""Appends records to session files: ``<log_dir>/<upstream>/<YYYY-MM-DD>/<session>.jsonl``.

Belongs to one thread. What was logged since the last ``flush`` goes out in one write a file.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from groundwork.disk.files import open_below
from proxy.record.record import Fork, Record, Request, Response, SessionStart, encode

# Sessions are many and file descriptors are few; the files used latest stay open.
OPEN_FILES = 64
# A line that is longer leaves in several writes, so that it is never in memory as a whole.
_ONE_WRITE = 4 << 20
_MOST_PIECES = 1024  # that one write takes: IOV_MAX of Linux
# Shorter pieces are joined: kept by the thousand they leave the heap in holes of some 10 MB.
_WORTH_NO_COPY = 32 << 10
_NEWLINE = ord("\n")


class UnknownSessionError(Exception):
    """A record of a session whose upstream was never registered."""


@dataclass(frozen=True, slots=True)
class WriteFailure:
    """Records of one session that are not in its file, and why."""

    session: str
    records: int
    reason: str


class ProxyLogger(Protocol):
    """Where records go. A session's upstream is registered before its first record.

    ``flush`` makes what was logged durable against the end of the process, and returns what could not be.
    """

    def register_upstream(self, session: str, upstream: str) -> None:
        """Say whose calls a session holds."""
        ...

    def log_session_start(self, record: SessionStart) -> None:
        """Log the start of a session."""
        ...

    def log_request(self, record: Request) -> None:
        """Log a request."""
        ...

    def log_response(self, record: Response) -> None:
        """Log the response to a request."""
        ...

    def log_fork(self, record: Fork) -> None:
        """Log where a session left another one."""
        ...

    def flush(self) -> list[WriteFailure]:
        """Write out what was logged."""
        ...


@dataclass(slots=True)
class _SessionFile:
    path: Path
    pending: list[bytes | bytearray] = field(default_factory=list)
    size: int = 0
    """Of what is pending, in bytes."""
    records: int = 0
    descriptor: int | None = None
    torn: bool = False
    """The file ends in a line that will never be whole."""
    amid: bool = False
    """The file ends amid a line of which the rest is coming."""

    def add(self, piece: bytes) -> None:
        """Let a piece wait to be written."""
        self.size += len(piece)
        if len(piece) >= _WORTH_NO_COPY:
            self.pending.append(piece)
        elif self.pending and isinstance(self.pending[-1], bytearray):
            self.pending[-1] += piece
        else:
            self.pending.append(bytearray(piece))

    def cut(self, size: int) -> None:
        """Take away what was added last, down to a size."""
        while self.size > size:
            last = self.pending.pop()
            self.size -= len(last)
            if self.size < size:
                self.add(bytes(last[: size - self.size]))


class Journal:
    """The JSONL files of one log folder. It holds the latest sessions' files open, the others closed."""

    def __init__(self, log_dir: Path, open_files: int = OPEN_FILES) -> None:
        self._log_dir = log_dir
        self._open_files = open_files
        self._files: OrderedDict[str, _SessionFile] = OrderedDict()
        self._waiting: dict[str, _SessionFile] = {}
        self._failures: list[WriteFailure] = []

    def register_upstream(self, session: str, upstream: str) -> None:
        """Say whose calls a session holds, which names its file; holds until the next flush at least."""
        if session not in self._files:
            self._files[session] = _SessionFile(session_path(self._log_dir, upstream, session))
        self._files.move_to_end(session)

    def log_session_start(self, record: SessionStart) -> None:
        """Log the start of a session. Raises ``UnknownSessionError``, as all of these do."""
        self._log(record)

    def log_request(self, record: Request) -> None:
        """Log a request."""
        self._log(record)

    def log_response(self, record: Response) -> None:
        """Log the response to a request."""
        self._log(record)

    def log_fork(self, record: Fork) -> None:
        """Log where a session left another one."""
        self._log(record)

    def flush(self) -> list[WriteFailure]:
        """Write out what was logged, and return what could not be since the last flush."""
        for session, file in self._waiting.items():
            self._write(session, file)
        self._waiting.clear()
        while len(self._files) > self._open_files:
            _close(self._files.popitem(last=False)[1])
        failures, self._failures = self._failures, []
        return failures

    def close(self) -> list[WriteFailure]:
        """Flush, and close all files."""
        failures = self.flush()
        for file in self._files.values():
            _close(file)
        self._files.clear()
        return failures

    def _log(self, record: Record) -> None:
        session = record.meta.session
        file = self._files.get(session)
        if file is None:
            raise UnknownSessionError(session)
        self._waiting[session] = file
        before = file.size
        file.records += 1
        pieces = encode(record)
        try:
            for piece in pieces:
                file.add(piece)
                if file.size > _ONE_WRITE and not self._write(session, file):
                    pieces.close()
        except Exception:
            # Of a body that cannot be read back, what is written already is a line that ends here.
            file.cut(0 if file.amid else before)
            file.records -= 1
            file.torn, file.amid = file.torn or file.amid, False
            raise

    def _write(self, session: str, file: _SessionFile) -> bool:
        if not file.pending:
            return True
        pieces, file.pending, file.size = file.pending, [], 0
        try:
            _append(self._log_dir, file, pieces)
        except OSError as exc:
            self._failures.append(WriteFailure(session, file.records, exc.strerror or type(exc).__name__))
            file.records = 0
            return False
        file.records = int(file.amid)
        return True


def session_path(log_dir: Path, upstream: str, session: str) -> Path:
    """Return the path of a session's file; the day is that of the session's name."""
    return log_dir / f"{upstream}/{session_day(session)}/{session}.jsonl"


def session_day(session: str) -> str:
    """Return the folder of a session's file, ``YYYY-MM-DD``."""
    return f"{session[:4]}-{session[4:6]}-{session[6:8]}"


def _append(log_dir: Path, file: _SessionFile, pieces: Sequence[bytes | bytearray]) -> None:
    if file.descriptor is not None and os.fstat(file.descriptor).st_nlink == 0:
        _close(file)  # removed by somebody; what is written there nobody could read
    if file.descriptor is None:
        file.descriptor = _open(log_dir, file.path)
        file.torn = _is_torn(file.descriptor)
    if file.torn:
        # What is left of a line whose writer died or whose disk was full; it must not spoil the next.
        pieces = [b"\n", *pieces]
    last = None
    try:
        for last in _write_all(file.descriptor, pieces):  # noqa: B007 - what is on disk when it fails
            pass
    except OSError:
        file.torn = file.torn or file.amid if last is None else last != _NEWLINE
        file.amid = False
        raise
    file.torn = False
    file.amid = last != _NEWLINE


def _write_all(descriptor: int, pieces: Sequence[bytes | bytearray]) -> Iterator[int]:
    """Write without joining, which would be a copy; yield the last byte that each write took."""
    views = [memoryview(piece) for piece in pieces if piece]
    at = 0
    while at < len(views):
        written = os.writev(descriptor, views[at : at + _MOST_PIECES])
        while at < len(views) and written >= len(views[at]):
            written -= len(views[at])
            at += 1
        yield views[at][written - 1] if written else views[at - 1][-1]
        if written:
            views[at] = views[at][written:]


def _open(log_dir: Path, path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
    try:
        return open_below(log_dir, path, flags)
    except FileNotFoundError:
        return open_below(log_dir, path, flags, make=True)


def _is_torn(descriptor: int) -> bool:
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"


def _close(file: _SessionFile) -> None:
    if file.descriptor is not None:
        os.close(file.descriptor)
        file.descriptor = None
