"""Runs the command behind it on a disk that takes so long a write: ``slow_disk.py 0.2 llm-proxy serve``."""

import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from proxy.commands import cli
from proxy.record import journal


class _SlowDisk:
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def writev(self, descriptor: int, pieces: Sequence[memoryview]) -> int:
        time.sleep(self._seconds)
        return os.writev(descriptor, pieces)


if __name__ == "__main__":
    vars(journal)["os"] = _SlowDisk(float(sys.argv[1]))
    sys.argv = sys.argv[2:]
    cli.main()
