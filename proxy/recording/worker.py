"""From what the event loop handed over to lines in session files: the recorder's side, on its thread."""

import logging
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from groundwork.eventlog import EventLog
from proxy.content.dialects.registry import NAMES
from proxy.record.journal import ProxyLogger, session_path
from proxy.record.record import Fork, OmitReason, Omitted, Record, Request, Response, SessionStart
from proxy.recording.capture import Item, RequestEnd, RequestPart, ResponseEnd, ResponsePart
from proxy.recording.delta.bases import FileState
from proxy.recording.delta.shortening import Shortening
from proxy.recording.spool import FileSpool
from proxy.recording.transcript import Policy, Transcript
from proxy.sessions.replay import SessionHead
from proxy.sessions.session_index import Archive
from proxy.sessions.sessions import Sessions

# Why a body can be missing that the settings and the client wanted on record.
MISSED_BODIES = tuple(reason for reason in get_args(OmitReason) if reason not in {"log_bodies", "opted_out"})
_DISK_EVERY = 1.0  # seconds between two looks at the free disk
# A disk that fails does so for every call; one line a minute tells it.
_COMPLAIN_EVERY = 60.0
_names = random.Random()  # noqa: S311 - names need not be secret


@dataclass(slots=True)
class Counters:
    """What /health tells of the log; ``free_bytes`` is of the disk.

    Answers are counted by ``dialects``, bodies ``omitted`` by reason.
    """

    records_written: int = 0
    sessions: int = 0
    omitted: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MISSED_BODIES, 0))
    dialects: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    records_lost: int = 0
    write_errors: int = 0
    last_error: str | None = None
    failing: bool = False
    free_bytes: int = 0


class Writer:
    """Turns items into records and has them written. Belongs to one thread, but for its counters."""

    def __init__(
        self, logger: ProxyLogger, policy: Policy, log_dir: Path, min_free: int, events: EventLog
    ) -> None:
        """Below ``min_free`` bytes of free disk bodies are left out."""
        self.counters = Counters()
        self._logger = logger
        self._log_dir = log_dir
        self._min_free = min_free
        self._events = events
        self._archive = Archive(log_dir)
        self._policy = policy
        self._transcript: Transcript
        self._shortening = None if policy.repeat_history else Shortening(policy.mask)
        self._looked_at_disk = float("-inf")
        self._is_low = False
        self._unflushed = 0
        self._complained = -_COMPLAIN_EVERY

    def open(self) -> None:
        """Find what is on record; the first thing to be done, on the thread that does all else."""
        self.look_at_disk()
        known: list[SessionHead] = []
        try:
            known = self._archive.known()
        except Exception as exc:  # noqa: BLE001 - whatever lies in the folder, calls go on record
            self._failed(type(exc).__name__, 0)
        sessions = Sessions(self._archive.recall, known)
        self._transcript = Transcript(self._policy, sessions, self._open_spool, _new_token, self._low_disk)
        self.counters.dialects = self._transcript.dialects

    def close(self) -> None:
        """Write all, and close the index; the logger is its owner's."""
        self.flush()
        self._archive.close()

    def take(self, item: Item) -> None:
        """Log what an item brings; what goes wrong with one must not end the log of all others."""
        try:
            self._take(item)
        except Exception as exc:  # noqa: BLE001 - as said
            self._failed(type(exc).__name__, 1)
            self._forget_bodies(item)

    def _forget_bodies(self, item: Item) -> None:
        """Have the next body written whole, where one that it would name may not be on record."""
        placement = item.capture.placement
        if self._shortening is not None and placement is not None:
            self._shortening.forget(placement.session.name)

    def _take(self, item: Item) -> None:
        upstream = item.capture.upstream
        for record in self._records(item):
            self._logger.register_upstream(record.meta.session, upstream)
            self._log(self._shortened(record))
            self._archive.note(record)
            self._unflushed += 1
            self.counters.sessions += isinstance(record, SessionStart)
            if (reason := _missed_body(record)) is not None:
                self.counters.omitted[reason] += 1
        for where, session, handle in self._transcript.new_handles():
            self._archive.note_handle(where[1], session, handle)

    def _shortened(self, record: Record) -> Record:
        if self._shortening is None or not isinstance(record, Request):
            return record
        return self._shortening.shorten(record, _state_of(self._log_dir, record))

    def _records(self, item: Item) -> Iterator[Record]:
        match item:
            case RequestPart():
                self._transcript.request_part(item)
            case ResponsePart():
                self._transcript.response_part(item)
            case RequestEnd():
                yield from self._transcript.request_end(item)
            case ResponseEnd() if item.capture.placement is not None:
                yield self._transcript.response_end(item)
            case ResponseEnd():
                self.counters.records_lost += 1  # it has no place, as its request was lost

    def _log(self, record: Record) -> None:
        match record:
            case SessionStart():
                self._logger.log_session_start(record)
            case Request():
                self._logger.log_request(record)
            case Response():
                self._logger.log_response(record)
            case Fork():
                self._logger.log_fork(record)

    def flush(self) -> None:
        """Write out what was taken; the index first, so that it lacks nothing that is on record."""
        try:
            self._archive.flush()
            failures = self._logger.flush()
        except Exception as exc:  # noqa: BLE001 - as above
            self._failed(type(exc).__name__, 1)
            return
        if self._shortening is not None:
            self._shortening.flushed()
        written, self._unflushed = self._unflushed, 0
        for failure in failures:
            self._transcript.missed(failure.session, failure.records)
            if self._shortening is not None:
                self._shortening.forget(failure.session)
            written -= failure.records
            self._failed(failure.reason, failure.records)
        self.counters.records_written += written
        if not failures:
            self.counters.failing = False

    def _failed(self, reason: str, records: int) -> None:
        counters = self.counters
        counters.write_errors += 1
        counters.records_lost += records
        counters.last_error = reason
        counters.failing = True
        if time.monotonic() - self._complained > _COMPLAIN_EVERY:
            self._complained = time.monotonic()
            self._events.write(
                logging.ERROR,
                "proxy.record_lost",
                f"Cannot write to the log: {reason}",
                reason=reason,
                write_errors=counters.write_errors,
            )

    def _open_spool(self) -> FileSpool:
        return FileSpool(self._log_dir)

    def look_at_disk(self) -> None:
        """See how much of it is free."""
        self._looked_at_disk = time.monotonic()
        with suppress(OSError):  # the journal will tell what is wrong with the disk
            free = self.counters.free_bytes = shutil.disk_usage(self._log_dir).free
            self._is_low = free < self._min_free

    def _low_disk(self) -> bool:
        if time.monotonic() - self._looked_at_disk > _DISK_EVERY:
            self.look_at_disk()
        return self._is_low


def _missed_body(record: Record) -> str | None:
    """Return why a body is missing that should be on record."""
    body = record.body if isinstance(record, Request | Response) else None
    return body.reason if isinstance(body, Omitted) and body.reason in MISSED_BODIES else None


def _state_of(log_dir: Path, record: Record) -> FileState:
    """Look at the file of a record's session; what is written there may be gone since."""
    try:
        found = session_path(log_dir, record.meta.host, record.meta.session).stat()
    except (OSError, ValueError):  # a name that no file can have is the journal's to tell
        return FileState()
    return FileState(found.st_ino, found.st_size)


def _new_token() -> str:
    """Return what tells sessions of one second apart, without asking the kernel, as ``secrets`` would."""
    return f"{_names.getrandbits(32):08x}"
