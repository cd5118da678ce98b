"""``python -m benchmarks [--only HALF] [--against COMMIT]``: measure, and print one table."""

import argparse
import contextlib
import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.row import Row

ROOT = Path(__file__).resolve().parent.parent
# Each has ``measure() -> Iterator[Row]``.
HALVES = ("shipper", "proxy", "history", "explore")


def main() -> int:
    """Print the table; exit with 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure both processes on this machine.")
    parser.add_argument("--only", choices=HALVES, help="which half to measure; both by default")
    parser.add_argument(
        "--against", metavar="COMMIT", default="", help="measure that commit too, and compare"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a row instead of a table")
    told = parser.parse_args()
    halves = [told.only] if told.only else list(HALVES)
    before = {row.name: row for row in _rows_of(told.against, halves)} if told.against else {}
    rows = []
    for row in _measure(halves):
        rows.append(row)
        print(json.dumps(asdict(row)) if told.json else line_of(row, before.get(row.name)), flush=True)
    return 1 if any(row.met is False for row in rows) else 0


def _measure(halves: list[str]) -> Iterator[Row]:
    for half in halves:
        yield from importlib.import_module(f"benchmarks.{half}").measure()


def _rows_of(commit: str, halves: list[str]) -> list[Row]:
    """Measure another commit's code by this one's benchmarks."""
    with _checked_out(commit) as tree:
        shutil.rmtree(tree / "benchmarks", ignore_errors=True)
        shutil.copytree(ROOT / "benchmarks", tree / "benchmarks")
        only = ["--only", *halves] if len(halves) == 1 else []
        command = [sys.executable, "-m", "benchmarks", "--json", *only]
        told = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, check=False)
    return [Row(**json.loads(line)) for line in told.stdout.splitlines()]


@contextlib.contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)
        try:
            yield tree
        finally:
            subprocess.run([*git, "remove", "--force", str(tree)], check=True)


def line_of(row: Row, before: Row | None) -> str:
    """Return a row of the table; ``before`` is the same row of the other commit."""
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    verdict = {True: "ok", False: "MISSED", None: ""}[row.met]
    was = "" if before is None else f"was {before.value:,.4g}"
    figure = f"{row.name:<58} {row.value:>8,.4g} {row.unit:<9} {ratio:>5}"
    return f"{figure}  {row.must:<22} {verdict:<7} {was}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
