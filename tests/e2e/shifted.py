"""Processes whose wall clock is wrong, or is set while they run."""

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.process import ROOT

_SOURCE = ROOT / "tests" / "clock_shift.c"


class WrongClock:
    """The clock of processes with the environment ``env``: ``seconds`` off ours, and more after ``jump``."""

    def __init__(self, folder: Path, seconds: int = 0) -> None:
        library, self._jump = folder / "clock_shift.so", folder / "jump"
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("there is no C compiler")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
        self.jump(0)
        self.env = {
            "LD_PRELOAD": str(library),
            # Ours may be moved as well.
            "CLOCK_SHIFT": str(int(os.environ.get("CLOCK_SHIFT", "0")) + seconds),
            "CLOCK_SHIFT_FILES": "0",
            "CLOCK_JUMP": str(self._jump),
        }

    def jump(self, seconds: int) -> None:
        """Set the clock to so many seconds beside where it began."""
        with self._jump.open("r+b" if self._jump.exists() else "w+b") as file:
            file.write(struct.pack("<q", seconds))
