"""Asks the running proxy whether it is alive."""

import sys
from collections.abc import Sequence

from groundwork.commands.probe import Unanswered, ask, lookup
from groundwork.text import printable

_OK = 200


def health(arguments: Sequence[str]) -> int:
    """Print what ``/health`` says; return 0 if it answers, 1 if not.

    A log that cannot be written is told, but is no failure: calls go on, and a restart would cut them.
    """
    host = lookup("host", arguments, "127.0.0.1")
    port = lookup("port", arguments, "12071")
    tls = bool(lookup("tls.cert_file", arguments, ""))
    try:
        status, body = ask(host, int(port) if port.isdigit() else 0, "/health", tls=tls)
    except Unanswered as exc:
        sys.stderr.write(printable(f"llm-proxy: {exc}\n"))
        return 1
    sys.stdout.write(printable(body.decode(errors="replace")) + "\n")
    return 0 if status == _OK else 1
