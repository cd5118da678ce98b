"""``llm-loki-ship health``: does the loop tick, and with ``--delivery``, does delivery work."""

import sys
from collections.abc import Sequence

from groundwork.commands.probe import Unanswered, ask, lookup
from groundwork.text import printable

_WELL = 200


def health(arguments: Sequence[str]) -> int:
    """Ask the running shipper; 0 when well, 1 when not or when nothing answers. Says so in one line."""
    path = "/readyz" if "--delivery" in arguments else "/livez"
    host = lookup("shipper.health_host", arguments, "127.0.0.1")
    port = lookup("shipper.health_port", arguments, "12072")
    try:
        status, body = ask(host, int(port), path)
    except (Unanswered, ValueError) as exc:
        sys.stderr.write(printable(f"llm-loki-ship: {exc}\n"))
        return 1
    text = printable(body.decode("utf-8", "replace").strip())
    (sys.stdout if status == _WELL else sys.stderr).write(f"{text}\n")
    return 0 if status == _WELL else 1
