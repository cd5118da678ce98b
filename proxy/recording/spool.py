"""Bytes put aside in a file without a name, which the kernel frees with the process."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from groundwork.disk.files import folder_below

_PIECE = 1 << 20  # what is read back at once
_FOLDERS = (".llm-proxy", "spool")
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FileSpool:
    """A temporary file in a log folder, whose disk it is to fill and no other. Raises ``OSError``."""

    def __init__(self, log_dir: Path) -> None:
        with folder_below(log_dir, _FOLDERS, make=True) as folder:
            name = secrets.token_hex(8)
            self._file = os.fdopen(os.open(name, _FLAGS, 0o600, dir_fd=folder), "w+b")
            os.unlink(name, dir_fd=folder)

    def write(self, data: bytes) -> None:
        """Append. Raises ``OSError``."""
        self._file.write(data)

    def read(self) -> Iterator[bytes]:
        """Return all bytes from the beginning, in pieces."""
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece

    def close(self) -> None:
        """Give the space back."""
        self._file.close()
