"""Bytes put aside in a file without a name, which the kernel frees with the process."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

_PIECE = 1 << 20  # what is read back at once


class FileSpool:
    """A temporary file in ``folder``, which is on the disk of the log, so that it fills none other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()

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
