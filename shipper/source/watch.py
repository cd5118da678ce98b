"""Watchdog's edge: a thread that names the files that changed, and wakes the loop."""

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
        self._root = root
        self._handler = _Handler(str(ignored), wake)
        self._observer: object | None = None

    def start(self) -> None:
        """Begin to watch. Raises ``OSError`` where the system has no watch to give (inotify limits)."""
        observer = Observer()
        observer.schedule(self._handler, str(self._root), recursive=True, event_filter=_EVENTS)
        observer.start()
        self._observer = observer

    def take(self) -> set[str]:
        """Return the paths that changed since the last call."""
        taken, self._handler.paths = self._handler.paths, set()
        return taken

    def stop(self) -> None:
        """End watchdog's thread."""
        if self._observer is not None:
            self._observer.stop()  # type: ignore[attr-defined]
            self._observer.join()  # type: ignore[attr-defined]
            self._observer = None


class _Handler(FileSystemEventHandler):
    def __init__(self, ignored: str, wake: Callable[[], None]) -> None:
        self._ignored = ignored
        self._wake = wake
        self.paths: set[str] = set()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Note the path; the loop is woken by the first of many."""
        path = str(event.dest_path or event.src_path)
        if path.startswith(self._ignored):
            return
        first = not self.paths
        self.paths.add(path)
        if first:
            self._wake()
