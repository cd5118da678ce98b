"""A shipper in each state that the page has to show."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from tests import clock
from tests.e2e.stack import Shipper, start_shipper
from tests.fakes.loki import FakeLoki
from tests.process import eventually, free_port, running

# More than the page takes to be caught up within a test, at one line a push.
_BACKLOG_LINES = 3000
WRONG_TOKEN = "wr0ng-s3cret"
HOSTILE_NAME = "<img src=x onerror=alert(1)>&\u202e'\"" + "n" * 180 + ".jsonl"


class Stage:
    """Starts shippers that end with the tests, each with a folder of its own."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._stack = stack

    def loki(self, **limits: Any) -> FakeLoki:
        """Start a Loki."""
        return self._stack.enter_context(FakeLoki(**limits))

    def folder(self, name: str) -> Path:
        """Make a log folder."""
        logs = self._folder / name / "logs"
        logs.mkdir(parents=True)
        return logs

    def shipper(self, logs: Path, loki_url: str, *args: str, **more: Any) -> Shipper:
        """Start a shipper that soon says when delivery fails."""
        return start_shipper(self._start(logs.parent), logs, loki_url, "--loki-retry-max=1", *args, **more)

    def _start(self, home: Path) -> Callable[..., Any]:
        return lambda *args, **more: self._stack.enter_context(running(*args, home=home, **more))


def write_lines(logs: Path, name: str, lines: int = 1, age: int = 0) -> None:
    """Append lines that were recorded so many seconds ago."""
    day = logs / "api.anthropic.com" / clock.day()
    day.mkdir(parents=True, exist_ok=True)
    at = clock.NOW - age * clock.SECOND
    stamps = (clock.stamp(at + each * 1_000_000) for each in range(lines))
    with (day / name).open("ab") as file:
        file.writelines(orjson.dumps({"type": "request", "_meta": {"ts": each}}) + b"\n" for each in stamps)


def with_nothing(stage: Stage) -> Shipper:
    """Return a shipper over an empty folder."""
    return stage.shipper(stage.folder("nothing"), stage.loki().push_url)


def all_well(stage: Stage) -> Shipper:
    """Return one that has delivered all, of files with names as nobody should give them."""
    logs = stage.folder("well")
    for name in (f"{clock.session(10)}.jsonl", HOSTILE_NAME):
        write_lines(logs, name, lines=3)
    shipper = stage.shipper(logs, stage.loki().push_url)
    eventually(lambda: shipper.delivered(6))
    return shipper


def catching_up(stage: Stage) -> Shipper:
    """Return one that is far behind, with a slow Loki."""
    logs = stage.folder("behind")
    write_lines(logs, f"{clock.session(10)}.jsonl", _BACKLOG_LINES, age=600)
    shipper = stage.shipper(logs, stage.loki(latency=0.2).push_url, "--loki-batch-size=1")
    eventually(lambda: shipper.health["entries_sent"] > 0)
    return shipper


def loki_down(stage: Stage) -> Shipper:
    """Return one whose Loki is not there."""
    return _failing(stage, "down", f"http://127.0.0.1:{free_port()}/loki/api/v1/push")


def wrong_token(stage: Stage) -> Shipper:
    """Return one that Loki does not know."""
    url = stage.loki(bearer="right").push_url
    return _failing(stage, "token", url, env={"LLM_PROXY_LOKI_AUTH_TOKEN": WRONG_TOKEN})


def _failing(stage: Stage, name: str, url: str, **more: Any) -> Shipper:
    logs = stage.folder(name)
    write_lines(logs, f"{clock.session(10)}.jsonl")
    shipper = stage.shipper(logs, url, **more)
    eventually(lambda: shipper.health["status"] == "error")
    return shipper


def disabled(stage: Stage) -> Shipper:
    """Return one that is told to send nothing."""
    return stage.shipper(stage.folder("disabled"), "", "--loki-enabled=false")


def ten_thousand_files(stage: Stage) -> Shipper:
    """Return one over a large folder."""
    logs = stage.folder("many")
    for number in range(10_000):
        write_lines(logs, f"{clock.session(number)}.jsonl")
    shipper = stage.shipper(logs, stage.loki().push_url)
    eventually(lambda: shipper.health["files"] == 10_000, 60)
    return shipper
