"""The trash of a log folder: session files on their way out, under the paths that they had."""

import errno
import os
import re
from pathlib import Path

from groundwork.disk.files import parent_of
from shipper.source.discovery import TRASH

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
        return self._move(path, self._trash + path.removeprefix(self._root))

    def take_back(self, path: str) -> str:
        """Move a file back to where it belongs, and return its path."""
        return self._move(path, self.place_of(path))

    def remove(self, path: str) -> None:
        """Remove a file in the trash."""
        with parent_of(self._root, path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def may_lose(self, folder: str) -> bool:
        """Tell whether an empty folder may go: a day's, and any in the trash."""
        return self.holds(folder) or _DATE.fullmatch(Path(folder).name) is not None

    def remove_folder(self, path: str, before: float) -> None:
        """Remove a folder if it is empty and has been since ``before``, in seconds since 1970.

        The age keeps it from going between the moments in which a writer makes it and its first file.
        """
        try:
            with parent_of(self._root, path) as (folder, name):
                if os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime < before:
                    os.rmdir(name, dir_fd=folder)
        except OSError as exc:
            if exc.errno != errno.ENOTEMPTY:
                raise

    def free_bytes(self) -> int:
        """Return how much an ordinary process may still write to the log folder."""
        found = os.statvfs(self._root)
        return found.f_bavail * found.f_frsize

    def _move(self, path: str, target: str) -> str:
        """Move a file; a name that is taken stays as it is, which ``rename`` would not leave it."""
        with parent_of(self._root, path) as (old, name), parent_of(self._root, target, make=True) as (new, _):
            os.link(name, name, src_dir_fd=old, dst_dir_fd=new, follow_symlinks=False)
            os.unlink(name, dir_fd=old)
        return target
