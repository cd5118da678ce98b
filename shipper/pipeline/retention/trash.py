"""The trash of a log folder: session files on their way out, under the paths that they had."""

import errno
import os
import re
from pathlib import Path

from shipper.source.discovery import TRASH

_FOLDER_MODE = 0o750
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class Trash:
    """Moves and removes files of one log folder. Paths begin as it was given; all raise ``OSError``."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._trash = f"{root}{os.sep}{TRASH}"

    def holds(self, path: str) -> bool:
        """Tell whether a path lies in the trash."""
        return path.startswith(self._trash + os.sep)

    def place_of(self, path: str) -> str:
        """Return where a file belongs that may lie in the trash."""
        return self._root + path.removeprefix(self._trash) if self.holds(path) else path

    def put_aside(self, path: str) -> str:
        """Move a file into the trash, and return its path there."""
        return _move(path, self._trash + path.removeprefix(self._root))

    def take_back(self, path: str) -> str:
        """Move a file back to where it belongs, and return its path."""
        return _move(path, self.place_of(path))

    def remove(self, path: str) -> None:
        """Remove a file in the trash."""
        Path(path).unlink()

    def may_lose(self, folder: str) -> bool:
        """Tell whether an empty folder may go: a day's, and any in the trash."""
        return self.holds(folder) or _DATE.fullmatch(Path(folder).name) is not None

    def remove_folder(self, path: str, before: float) -> None:
        """Remove a folder if it is empty and has been since ``before``, in seconds since 1970.

        The age keeps it from going between the moments in which a writer makes it and its first file.
        """
        if os.lstat(path).st_mtime >= before:
            return
        try:
            Path(path).rmdir()
        except OSError as exc:
            if exc.errno != errno.ENOTEMPTY:
                raise

    def free_bytes(self) -> int:
        """Return how much an ordinary process may still write to the log folder."""
        found = os.statvfs(self._root)
        return found.f_bavail * found.f_frsize


def _move(path: str, target: str) -> str:
    """Move a file; a name that is taken stays as it is, which ``rename`` would not leave it."""
    for folder in reversed(Path(target).parents):
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    os.link(path, target)
    Path(path).unlink()
    return target
