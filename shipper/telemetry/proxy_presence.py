"""Detects whether a proxy is running on the log folder."""

import os
from pathlib import Path

from groundwork.disk.lock import is_held

# The proxy holds this lock in its log folder while it runs.
_LOCK = Path(".llm-proxy") / "lock"
# The shipper starts first; a proxy starts within seconds of it.
_PROXY_SECONDS = 30.0


class MissingProxyNotice:
    """Reports once if no proxy runs on a folder 30 s after ``start`` (monotonic seconds)."""

    def __init__(self, folder: Path, start: float) -> None:
        self._folder = folder
        self._due: float | None = start + _PROXY_SECONDS

    def is_news(self, now: float) -> bool:
        """Return whether to report the missing proxy now."""
        if self._due is None or now < self._due:
            return False
        self._due = None
        return works_with(self._folder) is False


def is_there(folder: Path) -> bool:
    """Tell whether a folder is there; one that may not be looked at is not."""
    return os.path.isdir(folder)  # noqa: PTH112 - pathlib raises where the way to it is barred


def works_with(folder: Path) -> bool | None:
    """Tell whether a proxy writes to a folder now; None where its lock cannot be read."""
    try:
        return is_held(folder / _LOCK)
    except OSError:
        return None


def has_left(folder: Path) -> bool:
    """Tell whether a proxy wrote to a folder and is gone; false where none ever was."""
    return works_with(folder) is False and (folder / _LOCK).exists()


def hint_about(folder: Path) -> str:
    """Return what may be wrong with a folder; empty where nothing is."""
    if not is_there(folder):
        return f"log_dir = {str(folder)!r} is no folder: is it the proxy's log_dir?"
    if works_with(folder) is False:
        return "no llm-proxy works with this folder now"
    return ""
