"""What the state means for a person, and what to do about it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipper.view import phrase


@dataclass(frozen=True, slots=True)
class Advice:
    """``summary`` says how things stand, ``steps`` what a person can do, the most likely help first."""

    summary: str
    steps: tuple[str, ...] = ()


_SAFE = "Nothing is lost meanwhile: the lines stay in their files."
_CREDENTIALS = """Loki, or the gateway before it, refuses the credentials: look at loki.auth_token, \
loki.username, loki.password and loki.tenant_id. A token from loki.auth_token_file is read again by itself."""
_ADDRESS = """The address answers, but takes no pushes: loki.url has to be the whole push endpoint, which \
usually ends in /loki/api/v1/push."""
# By what the last error begins with: an HTTP status, or why there was no answer.
_STEPS = (
    (r"loki\.|shipper\.", "Mend that key in the configuration, and start the shipper again."),
    (r"40[13]\b", _CREDENTIALS),
    (r"(404|405)\b", _ADDRESS),
    (r"429\b", "Loki limits the rate: raise ingestion_rate_mb or per_stream_rate_limit there, or wait."),
    (r"3\d\d\b", "The address leads elsewhere: set loki.url to where it leads."),
    (r"5\d\d\b", "Loki, or the gateway before it, is in trouble: look at its own log."),
    (
        r"unreachable|timeout|broken",
        "Look whether Loki runs, and whether loki.url names its host, port and scheme (http or https).",
    ),
    (r"checkpoint|in-flight|rejected|lock", "Look at the state folder: its permissions, and its free space."),
)


def advice(report: Mapping[str, Any]) -> Advice:
    """Return what to say of a report's state."""
    backlog = report["backlog"]
    waiting = phrase.size(backlog["bytes"])
    match report["state"]:
        case "disabled":
            return Advice(
                "Nothing is sent to Loki: calls are on record in files only.",
                ("To send them, set loki.enabled = true and loki.url, and start the shipper again.",),
            )
        case "ok" if not backlog["bytes"]:
            return Advice("All that is on record is in Loki." if report["files_total"] else "No calls yet.")
        case "ok":
            return Advice(f"Lines reach Loki as they are written; {waiting} on their way.")
        case "catching_up":
            return Advice(f"Lines are being delivered; {waiting} are still to go.")
        case "draining":
            return Advice(f"The shipper was told to stop, and delivers what is left: {waiting}.")
    return Advice(f"Lines do not reach Loki; {waiting} are waiting. {_SAFE}", _steps(report))


def _steps(report: Mapping[str, Any]) -> tuple[str, ...]:
    error = str(report["health"].get("last_error") or "")
    found = next((step for pattern, step in _STEPS if re.match(pattern, error)), "")
    return tuple(filter(None, (found, "llm-loki-ship check tests the way to Loki step by step.")))
