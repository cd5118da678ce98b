"""``make demo``: the whole path from a call to Loki, on this machine, with nothing else needed.

Starts a provider and a Loki of its own, the proxy and the shipper as real processes; makes a few calls with
the official SDKs; shows what was written and what arrived; stays up until Ctrl-C. With
``LLM_PROXY_LOKI_URL`` set it ships to that Loki instead.
"""

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_view import LokiView, TroubleError, say, show_arrived, show_written, without_login
from rich.markup import escape

from tests.process import EndedError, Running, running

_START_SECONDS = 30.0
# Longer than the proxy and the shipper give themselves.
_STOP_SECONDS = 75.0
_LOOK_SECONDS = 0.3


@dataclass(frozen=True)
class Service:
    """One of the two commands: how to run it, its usual port, and what it logs when it listens there."""

    name: str
    command: tuple[str, str]
    setting: str
    port: int
    event: str


_PROXY = Service("proxy", ("llm-proxy", "serve"), "LLM_PROXY_PORT", 12071, "proxy.listening")
_SHIPPER = Service(
    "shipper", ("llm-loki-ship", "run"), "LLM_PROXY_SHIPPER_HEALTH_PORT", 12072, "shipper.listening"
)


@dataclass(frozen=True)
class Stage:
    """All that runs, by name, and where."""

    folder: Path
    processes: dict[str, Running]
    provider: str
    proxy: str
    health: str
    loki: LokiView
    explore: str

    @property
    def logs(self) -> Path:
        """The folder of the session files."""
        return self.folder / "logs"

    def base(self, provider: str) -> str:
        """Return the base URL of calls through the proxy to the demo's own provider."""
        return f"{self.proxy}/{provider}/{self.provider.removeprefix('http://')}"


def main() -> int:
    """Run the demo and return the exit code."""
    parser = argparse.ArgumentParser(prog="demo", description="The whole path, on this machine.")
    parser.add_argument("--once", action="store_true", help="end after the showing")
    once = parser.parse_args().once
    stopping = threading.Event()
    # A terminal that is closed must not leave the proxy and the shipper behind.
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, lambda *_: stopping.set())
    begun: dict[str, Running] = {}
    try:
        with contextlib.ExitStack() as processes:
            try:
                stage = start(processes, begun)
                show(stage, stopping)
                if not (once or stopping.is_set()):
                    invite(stage)
                    stay(stage, stopping)
            finally:
                stop(begun)
    except TroubleError as exc:
        say(f"\n[red]{exc}[/]")
        return 1
    return 0


def start(processes: contextlib.ExitStack, begun: dict[str, Running]) -> Stage:
    """Start everything, and wait until all of it listens. Raises ``TroubleError``."""
    own_loki = not os.environ.get("LLM_PROXY_LOKI_URL")
    folder = Path(tempfile.mkdtemp(prefix="llm-proxy-demo-"))
    settings = {name: text for name, text in os.environ.items() if name.startswith("LLM_PROXY_")}
    settings |= {"LLM_PROXY_LOG_FORMAT": "json", "LLM_PROXY_LOG_DIR": str(folder / "logs")}

    def begin(name: str, *command: str, **more: str) -> Running:
        begun[name] = processes.enter_context(running(*command, home=folder, env=settings | more))
        return begun[name]

    def serve(service: Service, port: int) -> Running:
        return begin(service.name, *service.command, **{service.setting: str(port)})

    tried = "a provider and a Loki" if own_loki else "a provider"
    say(f"[bold]Starting[/] {tried} to try with, the proxy and the shipper")
    provider = listening(begin("provider", "fake-provider"))
    if own_loki:
        settings["LLM_PROXY_LOKI_URL"] = listening(begin("Loki", "fake-loki")) + "/loki/api/v1/push"
    loki = LokiView(settings)
    loki.reach()
    settings |= _settings(provider)
    served = {each: serve(each, each.port) for each in (_PROXY, _SHIPPER)}
    proxy, health = (up(each, process, serve) for each, process in served.items())
    explore = _explored(begin)
    say(f"[bold]Conversations[/] appear on {explore}")
    return Stage(folder, begun, provider, proxy, health, loki, explore)


def _explored(begin: Callable[..., Running]) -> str:
    """Start explore, on its usual port or else on any, and return its URL. Raises ``TroubleError``."""
    for port in ("12073", "0"):
        process = begin("explore", "llm-loki-ship", "explore", LLM_PROXY_EXPLORE_PORT=port)
        with contextlib.suppress(AssertionError):
            return process.wait_for_line("exploring ", _START_SECONDS).rpartition(" on ")[2]
        process.kill()
    return str(trouble(process, lambda: process.wait_for_line("exploring ", 0)))


def _settings(provider: str) -> dict[str, str]:
    """Return what the demo sets; short waits, so that nobody has to."""
    return {
        "LLM_PROXY_HOST": "127.0.0.1",
        "LLM_PROXY_UPSTREAMS": provider.removeprefix("http://"),
        "LLM_PROXY_MIN_FREE": "10MiB",
        "LLM_PROXY_GRACE": "5s",
        "LLM_PROXY_LOKI_ENABLED": "true",
        "LLM_PROXY_LOKI_BATCH_WAIT": "500ms",
        "LLM_PROXY_SHIPPER_HEALTH_HOST": "127.0.0.1",
        "LLM_PROXY_SHIPPER_SHUTDOWN_TIMEOUT": "10s",
    }


def listening(process: Running) -> str:
    """Return the URL that a fake tells. Raises ``TroubleError``."""
    return str(trouble(process, lambda: process.wait_for_line("listening on ", _START_SECONDS)))


def up(service: Service, process: Running, serve: Callable[[Service, int], Running]) -> str:
    """Return the URL of a service once it listens. Raises ``TroubleError``.

    One that does not is begun once more on any port: only binding tells whether the usual one is taken.
    """
    with contextlib.suppress(AssertionError):
        return _told(service, process)
    process.kill()
    again = serve(service, 0)
    return str(trouble(again, lambda: _told(service, again)))


def _told(service: Service, process: Running) -> str:
    return f"http://127.0.0.1:{process.wait_for(service.event, _START_SECONDS)['port']}"


def trouble(process: Running, wait: Callable[[], Any]) -> Any:
    """Wait for a process; one that ends or does not come up is one line. Raises ``TroubleError``."""
    try:
        return wait()
    except EndedError as exc:
        raise TroubleError(process.stderr.strip().rpartition("\n")[2] or "a process ended at once") from exc
    except AssertionError as exc:
        raise TroubleError(f"{process.process.args!r} does not come up") from exc


def show(stage: Stage, stopping: threading.Event) -> None:
    """Make calls, and show what became of them. Raises ``TroubleError``."""
    from demo_calls import make_calls  # noqa: PLC0415 - the SDKs take a second, in which the rest starts

    say(f"\n[bold]Calls[/] through {stage.proxy}")
    made = make_calls(stage.base("anthropic"), stage.base("openai"), say)
    say(f"\n[bold]Written[/] to {stage.logs}")
    lines = show_written(stage.logs, made)
    say(f"\n[bold]Arrived[/] in the Loki at {without_login(stage.loki.url)}")
    show_arrived(stage.loki, stage.health, lines, stopping)


def invite(stage: Stage) -> None:
    """Say how to point a client of one's own at it."""
    asked = '{"model": "any", "max_tokens": 64, "messages": [{"role": "user", "content": "Hi"}]}'
    loki = f"{without_login(stage.loki.url)}/loki/api/v1/query_range"
    say(f"""
[bold]Your turn.[/] The proxy forwards to the real providers too, and puts every call on record:

  [bold]Claude Code[/]  ANTHROPIC_BASE_URL={stage.proxy}/anthropic/api.anthropic.com claude
  [bold]openai SDK[/]   OPENAI_BASE_URL={stage.proxy}/openai/api.openai.com/v1 python your_script.py
  [bold]curl[/]         to the demo's own provider, which needs no key:
    curl -s {stage.base("anthropic")}/v1/messages -d '{escape(asked)}'

  [bold]Read them[/]    {stage.explore}
  [bold]Files[/]        {stage.logs}
  [bold]Delivery[/]     curl -s {stage.health}/health/loki
  [bold]Loki[/]         curl -sG {loki} --data-urlencode 'query={{app="llm-proxy"}}'

[bold]Ctrl-C[/] ends it.""")


def stay(stage: Stage, stopping: threading.Event) -> None:
    """Wait for Ctrl-C. Raises ``TroubleError`` when a process ends before."""
    while not stopping.wait(_LOOK_SECONDS):
        for name, process in stage.processes.items():
            if not process.alive:
                raise TroubleError(f"The {name} ended: {process.stderr.strip().rpartition(chr(10))[2]}")


def stop(processes: dict[str, Running]) -> None:
    """Stop what runs: the proxy, then the shipper, which delivers what is left, then the rest."""
    if not processes:
        return
    say("\n[bold]Stopping[/]")
    for name in ("explore", "proxy", "shipper", "Loki", "provider"):
        process = processes.get(name)
        if process is None or not process.alive:
            continue
        try:
            code = process.terminate(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            code = process.kill()
        if code:
            say(f"  The {name} ended with exit code {code}: {process.stderr.strip().rpartition(chr(10))[2]}")


if __name__ == "__main__":
    sys.exit(main())
