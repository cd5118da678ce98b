"""``make clocks``: the tests that meet the wall clock, on other days than this one.

``tests/clock_shift.c`` is preloaded into them and into all that they start. Debian's faketime (0.9.10) does
not do: told to leave the monotonic clock alone, it makes every ``time.sleep`` of Python 3.11 fail, and it
moves no times of files as Python asks for them.
"""

import calendar
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_SOURCE = _ROOT / "tests" / "clock_shift.c"
# What a process takes for now, and what for the time of a file that it has just written.
_LOOK = """
import os, tempfile, time
with tempfile.TemporaryFile() as file:
    print(time.time(), os.fstat(file.fileno()).st_mtime)
"""
# The clock goes on between setting it and looking at it.
_APART_SECONDS = 60.0


def main() -> int:
    """Run the tests on each clock, with the arguments of pytest, and return the worst exit code."""
    compiler = shutil.which("cc")
    if compiler is None:
        sys.stderr.write("make clocks needs a C compiler that is called cc: install Debian's package gcc\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="clocks-") as place:
        library = Path(place) / "clock_shift.so"
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, _SOURCE], check=True)
        days = clocks(datetime.now(UTC)).items()
        return max([_run(name, start, library, sys.argv[1:]) for name, start in days])


def clocks(now: datetime) -> dict[str, datetime]:
    """Return when the tests begin on each clock."""
    return {
        "40 days ahead": now + timedelta(days=40),
        "over the turn of the year": datetime(now.year, 12, 31, 23, 59, 30, tzinfo=UTC),
        "on 29 February": _leap_day(now),
    }


def _leap_day(now: datetime) -> datetime:
    year = next(year for year in range(now.year + 1, now.year + 10) if calendar.isleap(year))
    return datetime(year, 2, 29, 12, tzinfo=UTC)


def _run(name: str, start: datetime, library: Path, arguments: list[str]) -> int:
    sys.stdout.write(f"{name}: {start:%Y-%m-%d %H:%M:%S}\n")
    sys.stdout.flush()
    shift = int((start - datetime.now(UTC)).total_seconds())
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "CLOCK_SHIFT": str(shift),
        # What is compiled is known by the times of its sources, which move too.
        "PYTHONPYCACHEPREFIX": str(library.with_name(f"compiled-{shift}")),
    }
    if not _is_moved(environment, start):
        sys.stderr.write("make clocks cannot move the clock of this Python\n")
        return 1
    command = [sys.executable, "-m", "pytest", "-m", "clocks", *arguments]
    return subprocess.run(command, cwd=_ROOT, env=environment, check=False).returncode


def _is_moved(environment: dict[str, str], start: datetime) -> bool:
    looked = subprocess.run(
        [sys.executable, "-c", _LOOK], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return all(abs(float(each) - start.timestamp()) < _APART_SECONDS for each in looked.stdout.split())


if __name__ == "__main__":
    sys.exit(main())
