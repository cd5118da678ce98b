"""Keeps the log folder within bounds, and knows its size: looks once a minute."""

from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import NamedTuple

from shipper.pipeline.intake import Intake
from shipper.pipeline.retention.rules import Candidate, Step, next_step
from shipper.pipeline.retention.trash import Trash
from shipper.source.discovery import Discovery
from shipper.source.followed import TrackedFile
from shipper.source.reader import Reader
from shipper.telemetry.events import Event, Reporter

# What is kept for days does not have to leave to the second.
PASS_SECONDS = 60.0
# Moves that a network file system makes in a fraction of a second: the loop has other work.
_MOST_A_PASS = 200
# A folder that has been empty for so long is not about to get a file.
_EMPTY_SECONDS = 3600.0


class Disk(NamedTuple):
    """Bytes of the files in the log folder, and bytes that may still be written to it."""

    used: int = 0
    free: int = 0


class Housekeeping:
    """Retention of one log folder; ``retention`` is in seconds, 0 means that all is kept.

    ``read_back`` tells whether the lines of a file, by id and size, were found in Loki; it is asked for files
    that are old enough. ``refused`` returns the paths of the files of which Loki has refused something.
    """

    def __init__(
        self,
        trash: Trash,
        retention: float,
        reporter: Reporter,
        *,
        discovery: Discovery,
        reader: Reader,
        intake: Intake,
        refused: Callable[[], Collection[str]],
        read_back: Callable[[int, int], bool] = lambda _file_id, _size: True,
    ) -> None:
        self._trash = trash
        self._retention = retention
        self._reporter = reporter
        self._discovery = discovery
        self._reader = reader
        self._intake = intake
        self._refused = refused
        self._read_back = read_back
        self._aside: dict[int, float] = {}
        self._next_pass = 0.0
        self.disk = Disk()

    def look_again(self) -> None:
        """Have the next ``tidy`` look: files may have been read back."""
        self._next_pass = 0.0

    def tidy(self, now: float, wall: float) -> bool:
        """Do what is due, and tell whether anything was.

        ``now`` is a monotonic clock's, ``wall`` is seconds since 1970.
        """
        if now < self._next_pass:
            return False
        self._next_pass = now + PASS_SECONDS
        failed = [each for each in self._pass(now, wall) if each is not None]
        if failed:
            reason = failed[0].strerror or str(failed[0])
            self._reporter.report(Event.RETENTION_FAILED, reason=reason, failures=len(failed))
        return True

    def _pass(self, now: float, wall: float) -> Iterator[OSError | None]:
        """Do all that is due, and yield for each thing what kept it from being done."""
        yield _attempt(self._measure)
        try:
            steps = self._due_steps(now, wall)[:_MOST_A_PASS]
        except OSError as exc:
            yield exc
            return
        for file, step in steps:
            yield _attempt(partial(self._take, file, step, now))
        for path in self._discovery.empty_folders() if self._retention else ():
            if self._trash.may_lose(path):
                yield _attempt(partial(self._trash.remove_folder, path, wall - _EMPTY_SECONDS))

    def _measure(self) -> None:
        self.disk = Disk(self._discovery.bytes_seen, self._trash.free_bytes())

    def _due_steps(self, now: float, wall: float) -> list[tuple[TrackedFile, Step]]:
        refused = self._refused() if self._retention else frozenset()
        candidates = [
            (file, self._candidate(file, refused, now, wall))
            for file in self._intake.files
            if not file.lost_at and file.doubted_since is None
        ]
        steps = [(file, next_step(candidate, self._retention)) for file, candidate in candidates]
        return [(file, step) for file, step in steps if step is not Step.KEEP]

    def _candidate(self, file: TrackedFile, refused: Collection[str], now: float, wall: float) -> Candidate:
        aside = self._trash.holds(file.path)
        delivered, untouched = self._intake.has_settled(file), wall - file.modified_ns / 1e9
        is_due = delivered and not aside and 0 < self._retention <= untouched
        return Candidate(
            delivered=delivered,
            refused=self._trash.place_of(file.path) in refused,
            untouched=untouched,
            read_back=self._read_back(file.file_id, file.size) if is_due else True,
            aside=now - self._aside.setdefault(file.file_id, now) if aside else None,
        )

    def _take(self, file: TrackedFile, step: Step, now: float) -> None:
        path, reader = file.path, self._reader
        if not reader.is_unchanged(file):
            return
        if step is Step.PUT_ASIDE:
            reader.rename(file, self._trash.put_aside(path))
            self._aside[file.file_id] = now
            self._reporter.report(Event.FILE_PUT_ASIDE, file=path)
        elif step is Step.TAKE_BACK:
            reader.rename(file, self._trash.take_back(path))
            self._aside.pop(file.file_id, None)
            self._reporter.report(Event.FILE_TAKEN_BACK, file=file.path)
        else:
            self._trash.remove(path)
            self._intake.forget(file)
            self._aside.pop(file.file_id, None)
            self._reporter.report(Event.FILE_REMOVED, file=path)


def _attempt(deed: Callable[[], None]) -> OSError | None:
    """Do something; where a name is taken or has gone, the next look will tell more."""
    try:
        deed()
    except (FileExistsError, FileNotFoundError):
        return None
    except OSError as exc:
        return exc
    return None
