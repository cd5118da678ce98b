"""The files that were read back whole from Loki, by id and size; retention removes no other ones."""

import os
from pathlib import Path

import msgspec

from groundwork.disk.files import open_new, read_below, rename_below

_NAME = "read_back.json"
_DECODER = msgspec.json.Decoder(dict[int, int])


class ReadBackStore:
    """``read_back.json`` in one state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _NAME

    def load(self) -> dict[int, int]:
        """Return file ids and sizes; nothing where it cannot be read, which costs another read-back."""
        try:
            return _DECODER.decode(read_below(self._folder, self._path))
        except (OSError, ValueError):
            return {}

    def save(self, files: dict[int, int]) -> None:
        """Replace the file. Raises ``OSError``."""
        temporary = self._path.with_suffix(".tmp")
        with os.fdopen(open_new(self._folder, temporary, os.O_WRONLY), "wb") as file:
            file.write(msgspec.json.encode(files))
        rename_below(self._folder, temporary, _NAME)
