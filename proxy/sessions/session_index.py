"""The session files as they lie on disk, found again after a restart.

``index.jsonl`` holds what else the beginnings of all files would have to be read for. It is derived: what it
lacks is read from the files, and without it all is. Belongs to one thread.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from operator import itemgetter
from pathlib import Path

from groundwork.disk.files import open_below, open_new, parent_of, read_below, rename_below
from proxy.content.clients import keeps_answers
from proxy.record.journal import session_day, session_path
from proxy.record.record import Fork, Record, Request, SessionStart
from proxy.sessions.index import decode, encode_handle, encode_known
from proxy.sessions.replay import (
    HEAD,
    Handle,
    Line,
    LoggedReply,
    Past,
    SessionHead,
    known_of,
    past_of,
    scope_of,
)
from proxy.sessions.sessions import REMEMBERED

# A session's start and its first request, but for headers and body, stand in the first kilobyte or two.
_BEGINNING = 4 << 10
_PIECE = 1 << 20  # what is read of a file at once
# Appended to the index before it is written anew with what is still remembered; some 10 MB.
_APPENDED = 5 * REMEMBERED
_SESSION = re.compile(r"(\d{8}-\d{6}-[0-9a-f]{8})\.jsonl")


class Archive:
    """The sessions on record in one log folder."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._path = log_dir / ".llm-proxy" / "index.jsonl"
        self._descriptor: int | None = None
        self._pending = bytearray()
        self._appended = 0
        self._starting: SessionHead | None = None

    def known(self) -> list[SessionHead]:
        """Return the sessions used latest, the latest last; write the index anew."""
        indexed = decode(self._read_index())
        found = []
        for upstream, session in self._latest():
            known = indexed.get((upstream, session)) or self._look(upstream, session)
            if known is not None:
                found.append(known)
        self._write_index(found)
        return found

    def recall(self, upstream: str, session: str) -> Past | None:
        """Return what is on record of a session; None where its file is gone or cannot be read."""
        try:
            descriptor = self._open(upstream, session)
        except OSError:
            return None
        try:
            return past_of(session, _lines(descriptor))
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def note(self, record: Record) -> None:
        """Take what a record tells into the index."""
        match record:
            case SessionStart():
                host, session = record.meta.host, record.meta.session
                scope = scope_of(record.provider, record.meta.caller)
                self._starting = SessionHead(host, session, scope, record.client_session)
            case Fork() if self._starting is not None:
                self._starting = replace(self._starting, parent=record.parent_session)
            case Request() if self._starting is not None:
                begun = bytes.fromhex(record.history.chain) if record.history else b""
                self._append(encode_known(replace(self._starting, begun=begun)))
                self._starting = None

    def note_handle(self, upstream: str, session: str, handle: Handle) -> None:
        """Take by what a later call may find a session into the index."""
        self._append(encode_handle(upstream, session, handle))

    def flush(self) -> None:
        """Write what was noted; an index that cannot be written is taken away, so that none is believed."""
        data, self._pending = bytes(self._pending), bytearray()
        if self._descriptor is None or not data:
            return
        try:
            if os.write(self._descriptor, data) == len(data):
                return
        except OSError:
            pass
        self.close()
        with suppress(OSError), parent_of(self._log_dir, self._path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def close(self) -> None:
        """Close the index."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, line: bytes) -> None:
        if self._descriptor is None:
            return
        self._pending += line
        self._appended += 1
        if self._appended > _APPENDED:
            self.flush()
            self._write_index(list(decode(self._read_index()).values())[-REMEMBERED:])

    def _read_index(self) -> bytes:
        try:
            return read_below(self._log_dir, self._path)
        except OSError:
            return b""

    def _write_index(self, sessions: Iterable[SessionHead]) -> None:
        self.close()
        self._appended = 0
        written = self._path.with_suffix(".new")
        try:
            self._descriptor = open_new(self._log_dir, written, os.O_WRONLY | os.O_APPEND)
            self._pending += b"".join(_index_lines(sessions))
            self.flush()
            if self._descriptor is not None:
                rename_below(self._log_dir, written, self._path.name)
        except OSError:
            self.close()

    def _latest(self) -> list[tuple[str, str]]:
        """Return upstream and name of the files written latest, the latest last."""
        files = sorted(self._files(), key=itemgetter(0))[-REMEMBERED:]
        return [(upstream, session) for _, upstream, session in files]

    def _files(self) -> Iterator[tuple[int, str, str]]:
        for host in _folders(self._log_dir):
            for day in _folders(host):
                for entry in _entries(day):
                    match = _SESSION.fullmatch(entry.name)
                    if match and day.name == session_day(match[1]):
                        with suppress(OSError):
                            yield entry.stat(follow_symlinks=False).st_mtime_ns, host.name, match[1]

    def _open(self, upstream: str, session: str) -> int:
        return open_below(self._log_dir, session_path(self._log_dir, upstream, session), os.O_RDONLY)

    def _look(self, upstream: str, session: str) -> SessionHead | None:
        try:
            descriptor = self._open(upstream, session)
        except OSError:
            return None
        try:
            known = known_of(os.read(descriptor, _BEGINNING), upstream, session)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        if known is not None and keeps_answers(known.path):
            past = self.recall(upstream, session)
            return replace(known, handles=_responses(past) if past else ())
        return known


def _index_lines(sessions: Iterable[SessionHead]) -> Iterator[bytes]:
    for known in sessions:
        yield encode_known(known)
        for handle in known.handles:
            yield encode_handle(known.upstream, known.session, handle)


def _responses(past: Past) -> tuple[Handle, ...]:
    replies = (call for call in past.calls if isinstance(call, LoggedReply))
    return tuple(Handle("response_id", each.response_id, each.seq) for each in replies if each.response_id)


def _lines(descriptor: int) -> Iterator[Line]:
    """Read a file line by line, of each no more than its beginning and end."""
    head = end = b""
    while piece := os.read(descriptor, _PIECE):
        *whole, rest = piece.split(b"\n")
        for part in whole:
            yield Line(head + part[:HEAD], (end + part[-3:])[-3:])
            head = end = b""
        head, end = (head + rest[:HEAD])[:HEAD], (end + rest[-3:])[-3:]
    if head:
        yield Line(head, b"")  # it has no end


def _folders(parent: "Path | os.DirEntry[str]") -> Iterator["os.DirEntry[str]"]:
    for entry in _entries(parent):
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield entry


def _entries(folder: "Path | os.DirEntry[str]") -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError:
        return
