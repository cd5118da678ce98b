"""Watchdog's edge: a thread that names the files that changed, and wakes the loop."""

import os
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from watchdog.events import (
    DirCreatedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import InotifyEvent, InotifyFD

# Reading a file raises open and close events of its own; only these tell of a change.
_EVENTS: list[type[FileSystemEvent]] = [DirCreatedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent]
_NOTED = tuple(_EVENTS)
# Between two reads of events: of many a second a read takes several, and wakes its thread once for all.
_GATHER_SECONDS = 0.05


class Watch:
    """Watches one folder and all below it; ``wake`` is called from watchdog's thread.

    ``take`` hands over the paths named since the last call; many events on one path are one.
    """

    def __init__(self, root: Path, ignored: Path, wake: Callable[[], None]) -> None:
        # The kernel does not watch through a symbolic link, so the folder itself is watched.
        self._watched = os.path.realpath(root)
        self._handler = _Handler(self._watched, str(root), str(ignored), wake)
        self._observer: BaseObserver | None = None
        self._descriptor: _Descriptor | None = None

    def start(self) -> None:
        """Begin to watch. Raises ``OSError`` where the system has no watch to give (inotify limits)."""
        # A folder that appears while its parent is being walked is added twice, which does no harm.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning, "watchdog")
        descriptor = _Descriptor()
        emitter: Any = partial(_Emitter, note=self._handler.on_any_event, inotify_fd=descriptor)
        observer = BaseObserver(emitter)
        observer.schedule(self._handler, self._watched, recursive=True, event_filter=_EVENTS)
        self._observer, self._descriptor = observer, descriptor
        descriptor.start()
        try:
            observer.start()
        except OSError:
            self.stop()
            raise

    @property
    def is_armed(self) -> bool:
        """Tell whether watchdog runs; it may pass over folders that it cannot watch."""
        return self._observer is not None

    def take(self) -> set[str]:
        """Return the paths that changed since the last call."""
        return self._handler.take()

    def stop(self) -> None:
        """End watchdog's thread."""
        for thread in (self._observer, self._descriptor):
            if thread is not None:
                thread.stop()
                if thread.is_alive():
                    thread.join()
        self._observer = self._descriptor = None


class _Descriptor(InotifyFD):
    """Reads the kernel's events, a moment after the last read: meanwhile they wait in its queue."""

    _next_read = 0.0

    def read_events(self, **sizes: int) -> list[InotifyEvent]:
        """Return the events that there are; wait for the first."""
        time.sleep(max(0.0, self._next_read - time.monotonic()))
        events = super().read_events(**sizes)
        self._next_read = time.monotonic() + _GATHER_SECONDS
        return events


class _Emitter(InotifyEmitter):
    """Notes an event at once, where watchdog hands it to one more thread through a queue."""

    def __init__(self, *watched: Any, note: Callable[[FileSystemEvent], None], **options: Any) -> None:
        super().__init__(*watched, **options)
        self._note = note

    def queue_event(self, event: FileSystemEvent) -> None:
        """Note an event of the kinds that tell of a change."""
        if isinstance(event, _NOTED):
            self._note(event)


class _Handler(FileSystemEventHandler):
    """Gathers paths. The lock keeps a path from slipping between two sets, and its wake-up with it."""

    def __init__(self, watched: str, root: str, ignored: str, wake: Callable[[], None]) -> None:
        self._watched = watched
        self._root = root
        self._ignored = ignored + os.sep
        self._wake = wake
        self._lock = threading.Lock()
        self._paths: set[str] = set()

    def take(self) -> set[str]:
        with self._lock:
            taken, self._paths = self._paths, set()
        return taken

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note the path; the loop is woken by the first of many."""
        path = self._root + str(event.dest_path or event.src_path).removeprefix(self._watched)
        if path.startswith(self._ignored):
            return
        with self._lock:
            first = not self._paths
            self._paths.add(path)
        if first:
            self._wake()
