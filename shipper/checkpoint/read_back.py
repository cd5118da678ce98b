"""The files that were read back whole from Loki, by id and size; retention removes no other ones."""

import os
from pathlib import Path

import msgspec

_NAME = "read_back.json"
_DECODER = msgspec.json.Decoder(dict[int, int])


class ReadBackStore:
    """``read_back.json`` in one state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME

    def load(self) -> dict[int, int]:
        """Return file ids and sizes; nothing where it cannot be read, which costs another read-back."""
        try:
            return _DECODER.decode(self._path.read_bytes())
        except (OSError, ValueError):
            return {}

    def save(self, files: dict[int, int]) -> None:
        """Replace the file. Raises ``OSError``."""
        temporary = self._path.with_suffix(".tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(files))
        temporary.replace(self._path)
