"""What the state means for a person, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shipper.telemetry.page import format as phrase


@dataclass(frozen=True, slots=True)
class Advice:
    """``summary`` says how things stand, ``steps`` what a person can do, the most likely help first."""

    summary: str
    steps: tuple[str, ...] = ()


_SAFE = "Nothing is lost meanwhile: the lines stay in their files."


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
            return Advice(_all_delivered(report) if report["files_total"] else "No calls yet.")
        case "ok":
            return Advice(f"Lines reach Loki as they are written; {waiting} on their way.")
        case "catching_up":
            return Advice(f"Lines are being delivered; {waiting} are still to go.")
        case "draining":
            return Advice(f"The shipper was told to stop, and delivers what is left: {waiting}.")
    return Advice(_failing(report, waiting), _steps(report))


def _failing(report: Mapping[str, Any], waiting: str) -> str:
    rejected = report["health"]["rejected"]
    if rejected and not report["backlog"]["bytes"]:
        return f"{rejected:,} lines are not in Loki, and nothing sends them again; all else on record is."
    return f"Lines do not reach Loki; {waiting} are waiting. {_SAFE}"


def _all_delivered(report: Mapping[str, Any]) -> str:
    refused = sum(report["dropped"].values())
    if not refused:
        return "All that is on record is in Loki."
    return f"All else that is on record is in Loki; {refused:,} lines were rejected: llm-loki-ship rejected."


def _steps(report: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(filter(None, (report["advice"], "llm-loki-ship check tests the way to Loki step by step.")))
