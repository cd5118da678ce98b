"""``llm-loki-ship sessions``: the recent sessions, as Loki has them."""

import json
import sys
import time

from groundwork.commands.terminal import Terminal
from groundwork.settings.units import format_duration
from groundwork.text import printable
from shipper.commands.sessions.summary import Summary, summaries
from shipper.commands.sessions.table import json_rows, sessions_shown
from shipper.config import LokiSettings
from shipper.loki.query.patient import asking

_NANOSECONDS = 1_000_000_000
# Entries may be stamped as far ahead as Loki takes them (``creation_grace_period``), and clocks differ.
_AHEAD_NS = 3600 * _NANOSECONDS


def recent_sessions(loki: LokiSettings, since: float) -> list[Summary]:
    """Return the sessions of the last ``since`` seconds, the latest first.

    Raises ``UnusableError``, ``AskAgainError`` and ``CannotAskError``.
    """
    now = time.time_ns()
    with asking(loki) as ask:
        return summaries(ask, now - int(since * _NANOSECONDS), now + _AHEAD_NS)


def print_sessions(sessions: list[Summary], most: int, since: float, *, as_json: bool) -> None:
    """Print at most ``most`` sessions, as a table or as JSON."""
    if as_json:
        sys.stdout.write(
            printable(json.dumps(json_rows(sessions[:most]), indent=2, ensure_ascii=False)) + "\n"
        )
        return
    console = Terminal()
    if sessions:
        console.print(sessions_shown(sessions, most, time.time(), console.width))
    else:
        span = format_duration(since)
        console.print(f"Loki has no session of the last {span}: try a longer --since, such as 30d.")
        console.print("llm-loki-ship status tells what still waits to be sent.")
