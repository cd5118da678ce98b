"""What a machine takes for the least that could be done, so that costs are told as ratios to it."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

# What else the machine does only adds, so the least of some runs is the truest.
_RUNS = 3


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU that some work takes once."""
    began = time.process_time()
    work()
    return time.process_time() - began


def stat_all(paths: Iterable[Path]) -> float:
    """Return the CPU that it takes to ask the system for the size of each file."""
    names = [str(path) for path in paths]
    return min(cpu_seconds(lambda: [os.stat(name) for name in names]) for _ in range(_RUNS))  # noqa: PTH116 - bare


def read_all(paths: Iterable[Path]) -> float:
    """Return the CPU that it takes to open each file and read its first 4 KiB."""
    names = [str(path) for path in paths]

    def read() -> None:
        for name in names:
            with open(name, "rb") as file:  # noqa: PTH123 - bare
                file.read(4096)

    return min(cpu_seconds(read) for _ in range(_RUNS))
