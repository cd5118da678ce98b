"""The list of what Loki refused for good: references, as the session file is the copy."""

import hashlib
import os
from pathlib import Path

import orjson

from shipper.checkpoint.append import append
from shipper.entry import Span

_NAME = "rejected.jsonl"
# An answer can list many entries; its beginning names the rule that was broken.
_ANSWER_CHARACTERS = 500


class RejectedList:
    """Appends to ``rejected.jsonl`` in the state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME

    def add(self, file: str, span: Span, line: bytes, *, reason: str, answer: str) -> None:
        """Append one reference to the bytes of ``file``. Raises ``OSError``."""
        row = {
            "file": file,
            "start": span.start,
            "end": span.end,
            "sha256": hashlib.sha256(line).hexdigest(),
            "reason": reason,
            "answer": answer[:_ANSWER_CHARACTERS],
        }
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            append(descriptor, orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
        finally:
            os.close(descriptor)
