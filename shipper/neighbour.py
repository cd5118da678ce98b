"""The proxy beside: its folder, and whether it lives."""

import os
from pathlib import Path

from groundwork.lock import is_held

# The proxy holds this lock in its log folder while it lives.
_LOCK = Path(".llm-proxy") / "lock"


def is_there(folder: Path) -> bool:
    """Tell whether a folder is there; one that may not be looked at is not."""
    return os.path.isdir(folder)  # noqa: PTH112 - pathlib raises where the way to it is barred


def works_with(folder: Path) -> bool | None:
    """Tell whether a proxy writes to a folder now; None where its lock cannot be read."""
    try:
        return is_held(folder / _LOCK)
    except OSError:
        return None


def hint_about(folder: Path) -> str:
    """Return what may be wrong with a folder; empty where nothing is."""
    if not is_there(folder):
        return f"log_dir = {str(folder)!r} is no folder: is it the proxy's log_dir?"
    if works_with(folder) is False:
        return "no llm-proxy works with this folder now"
    return ""
