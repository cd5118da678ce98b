"""``llm-loki-ship status``: the running shipper's word, else what the checkpoint and the folder tell."""

import json
import signal
import sys
import time
from io import TextIOWrapper
from typing import Any

import orjson

from groundwork.commands.probe import Unanswered, ask
from groundwork.commands.terminal import Terminal
from groundwork.text import printable
from shipper.commands.status.offline_state import state_at_rest
from shipper.commands.status.terminal import state_shown
from shipper.config import ShipperSettings

_WATCH_SECONDS = 2.0
_END = frozenset({signal.SIGINT})
_OK = 200
# 200 files with the longest paths there are.
_MOST_BYTES = 4 << 20
_WELL = frozenset({"ok", "catching_up", "draining", "disabled"})


def state_now(settings: ShipperSettings) -> dict[str, Any]:
    """Return the state report of the running shipper, else what can be told without one."""
    run = settings.shipper
    try:
        status, body = ask(run.health_host, run.health_port, "/status", _MOST_BYTES)
        report = orjson.loads(body) if status == _OK else None
    except Unanswered as exc:
        return state_at_rest(settings, str(exc), time.time())
    except orjson.JSONDecodeError:
        report = None
    if isinstance(report, dict) and {"state", "files", "health"} <= report.keys():
        return report
    other = (
        f"what answers at {run.health_host}:{run.health_port} is not llm-loki-ship: give both another port"
    )
    return state_at_rest(settings, other, time.time())


def print_state(report: dict[str, Any], *, as_json: bool) -> None:
    """Print a report once; what the terminal's encoding has no character for becomes ``?``."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if as_json:
        sys.stdout.write(printable(json.dumps(report, indent=2, ensure_ascii=False)) + "\n")
    else:
        console = Terminal()
        console.print(state_shown(report, console.width))
    sys.stdout.flush()


def watch_state(settings: ShipperSettings, *, as_json: bool) -> None:
    """Print the state again and again until Ctrl-C; on a terminal in one place."""
    # Waited for, not caught: nothing is cut amid a line, and it ends too where a shell has had it ignored.
    signal.pthread_sigmask(signal.SIG_BLOCK, _END)
    if as_json or not sys.stdout.isatty():
        print_state(state_now(settings), as_json=as_json)
        while signal.sigtimedwait(_END, _WATCH_SECONDS) is None:
            print_state(state_now(settings), as_json=as_json)
        return
    from rich.live import Live  # noqa: PLC0415 - only where it is asked for

    console = Terminal()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        live.update(state_shown(state_now(settings), console.width), refresh=True)
        while signal.sigtimedwait(_END, _WATCH_SECONDS) is None:
            live.update(state_shown(state_now(settings), console.width), refresh=True)


def is_well(report: dict[str, Any]) -> bool:
    """Tell whether nobody has to look."""
    return report["state"] in _WELL
