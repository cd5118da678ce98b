"""Where lines were delivered to so far: a checkpoint means nothing to another Loki."""

import os
from pathlib import Path

from groundwork.disk.files import open_below, read_below
from shipper.checkpoint.append import append

_NAME = "delivered_to"


def last_destination(folder: Path) -> str:
    """Return the Loki that lines went to last; empty where that is not known."""
    try:
        lines = read_below(folder, folder / _NAME).decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[-1] if lines else ""


def note_destination(folder: Path, name: str) -> None:
    """Write down where lines go from now on. Raises ``OSError``."""
    if last_destination(folder) == name:
        return
    descriptor = open_below(folder, folder / _NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, make=True)
    try:
        append(descriptor, f"{name}\n".encode())
    finally:
        os.close(descriptor)
