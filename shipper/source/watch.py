"""Watchdog's edge: a thread that names the files that changed, and wakes the loop."""

import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

# Reading a file raises open and close events of its own; only these tell of a change.
_EVENTS: list[type[FileSystemEvent]] = [DirCreatedEvent, FileCreatedEvent, FileModifiedEvent, FileMovedEvent]


class Watch:
    """Watches one folder and all below it; ``wake`` is called from watchdog's thread.

    ``take`` hands over the paths named since the last call; many events on one path are one.
    """

    def __init__(self, root: Path, ignored: Path, wake: Callable[[], None]) -> None:
        # The kernel does not watch through a symbolic link, so the folder itself is watched.
        self._watched = os.path.realpath(root)
        self._handler = _Handler(self._watched, str(root), str(ignored), wake)
        self._observer: object | None = None

    def start(self) -> None:
        """Begin to watch. Raises ``OSError`` where the system has no watch to give (inotify limits)."""
        # A folder that appears while its parent is being walked is added twice, which does no harm.
        warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning, "watchdog")
        observer = Observer()
        observer.schedule(self._handler, self._watched, recursive=True, event_filter=_EVENTS)
        try:
            observer.start()
        except OSError:
            observer.stop()
            raise
        self._observer = observer

    def take(self) -> set[str]:
        """Return the paths that changed since the last call."""
        return self._handler.take()

    def stop(self) -> None:
        """End watchdog's thread."""
        if self._observer is not None:
            self._observer.stop()  # type: ignore[attr-defined]
            self._observer.join()  # type: ignore[attr-defined]
            self._observer = None


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
