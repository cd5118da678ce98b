"""Real processes for tests: started in a clean environment, watched through their log, always reaped.

``running("llm-proxy", "serve", home=tmp_path, env={...})`` gives a ``Running`` whose stderr is collected as
events. ``eventually`` waits on any other condition.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

import orjson

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
# A condition that takes longer than this on a busy machine of two cores is broken.
DEADLINE = 20.0
_POLL = 0.01
# Below Linux's own range (net.ipv4.ip_local_port_range); chosen by no seed, as tests run beside each other.
_NEVER_GIVEN_OUT = range(14000, 32768)
_CHANCE = random.SystemRandom()
_SCRIPTS = {
    "fake-provider": ["-m", "tests.fakes.provider"],
    "fake-loki": ["-m", "tests.fakes.loki"],
    "demo": [str(ROOT / "scripts" / "demo.py")],
}
# All else is left behind: settings, proxies, the user's own files.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TMPDIR")
# The count of what tests reach, and the clock that ``make clocks`` sets.
_FOLLOWING = ("COVERAGE_", "CLOCK_SHIFT", "LD_PRELOAD", "PYTHONPYCACHEPREFIX")

Event = dict[str, Any]


class EndedError(AssertionError):
    """The process ended while a test waited for it to do something."""


def eventually(predicate: Callable[[], T | None], deadline: float = DEADLINE, what: str = "") -> T:
    """Return the first true value of ``predicate``, an exception inside counting as false.

    Raises ``AssertionError`` that tells the last value after ``deadline`` seconds.
    """
    end = time.monotonic() + deadline
    while True:
        try:
            last: T | Exception | None = predicate()
        except Exception as exc:  # noqa: BLE001 - a refused connection is one way of not being ready
            last = exc
        if last and not isinstance(last, Exception):
            return last
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline:g} s: {what or predicate}; last: {last!r}")
        time.sleep(_POLL)


def free_port() -> int:
    """Return a port on which nothing listens, and which the system gives to nobody who asks for any."""
    while True:
        port = _CHANCE.choice(_NEVER_GIVEN_OUT)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Running:
    """A started process. ``events`` holds its log so far; lines that are no JSON have only ``text``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.events: list[Event] = []
        self.stdout: list[str] = []
        self._changed = threading.Condition()
        self._readers = [
            threading.Thread(target=self._collect, args=(stream, keep), daemon=True)
            for stream, keep in ((process.stderr, self._keep_event), (process.stdout, self.stdout.append))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def stderr(self) -> str:
        """All of stderr so far, as text."""
        return "\n".join(event["text"] for event in self.events)

    def wait_for(self, name: str, deadline: float = DEADLINE, **fields: Any) -> Event:
        """Return the first event of that name with those fields, past or to come."""

        def found() -> Event | None:
            wanted = {"event": name, **fields}
            return next((each for each in self.events if wanted.items() <= each.items()), None)

        return self._wait(found, f"event {name} {fields or ''}", deadline)

    def wait_for_line(self, start: str, deadline: float = DEADLINE) -> str:
        """Return what follows ``start`` in the first line of stdout that begins with it."""

        def found() -> str | None:
            return next((line[len(start) :] for line in self.stdout if line.startswith(start)), None)

        return self._wait(found, f"line {start!r}", deadline)

    def terminate(self, deadline: float = DEADLINE) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(deadline)

    def kill(self) -> int:
        """Send SIGKILL and return the exit code."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; harmless when the process has ended."""
        self.process.send_signal(number)

    def wait(self, deadline: float = DEADLINE) -> int:
        """Return the exit code, with all output collected. Raises ``subprocess.TimeoutExpired``."""
        code = self.process.wait(deadline)
        for reader in self._readers:
            reader.join(deadline)
        return code

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def _wait(self, found: Callable[[], T | None], what: str, deadline: float) -> T:
        end = time.monotonic() + deadline
        with self._changed:
            while True:
                value = found()
                if value is not None:
                    return value
                if not any(reader.is_alive() for reader in self._readers):
                    raise EndedError(f"ended before {what}; {self._said()}")
                if time.monotonic() > end:
                    raise AssertionError(f"no {what} within {deadline:g} s; {self._said()}")
                self._changed.wait(0.1)

    def _said(self) -> str:
        return "\n".join(("stdout:", *self.stdout, "stderr:", self.stderr))

    def _collect(self, stream: IO[bytes], keep: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                with self._changed:
                    keep(line.decode(errors="replace").rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _keep_event(self, text: str) -> None:
        try:
            read = orjson.loads(text)
        except orjson.JSONDecodeError:
            read = None
        fields = read if isinstance(read, dict) else {}
        self.events.append({**fields, "text": text})


@contextlib.contextmanager
def running(
    command: str,
    *args: str,
    home: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    under: Sequence[str] = (),
) -> Iterator[Running]:
    """Start a command (``llm-proxy``, ``llm-loki-ship``, or one of the scripts above); kill it at the end.

    It sees nothing of this process's environment but ``env`` and a few harmless variables, and no Ctrl-C of
    this terminal; ``home`` is its HOME and, without ``cwd``, where it runs; ``under`` is a command that
    executes the one behind it, such as ``unshare``.
    """
    process = subprocess.Popen(
        [*under, *command_line(command, *args)],
        env=clean_environment(home, env or {}),
        cwd=cwd or home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    started = Running(process)
    try:
        yield started
    finally:
        if started.alive:
            process.kill()
        started.wait()


def command_line(command: str, *args: str) -> list[str]:
    """Return what to execute: a script of this repository, or a command of this environment."""
    if command in _SCRIPTS:
        return [sys.executable, *_SCRIPTS[command], *args]
    return [str(Path(sys.executable).with_name(command)), *args]


def clean_environment(home: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a started process; coverage and the clock still follow into it."""
    kept = {name: value for name, value in os.environ.items() if name in _INHERITED}
    return {**kept, **following(), "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **env}


def following() -> dict[str, str]:
    """Return the variables without which a process would not be counted, or would live on another day."""
    return {name: value for name, value in os.environ.items() if name.startswith(_FOLLOWING)}
