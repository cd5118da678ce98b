"""The page for people: a report of the state in, one self-contained HTML document out.

The report is what ``/status`` answers with. Every value in it may be hostile, file names first: the template
escapes whatever it shows, and the document's policy lets nothing run but its own script.
"""

import base64
import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from groundwork.text import span
from shipper.telemetry.page import format as phrase
from shipper.telemetry.page.chart import SPAN_SECONDS, curve
from shipper.telemetry.page.hints import advice

# With these the document stays below 100 KB, whatever the values are: a test says so.
_MOST_FILES = 40
_MOST_ERRORS = 20
_MOST_SETTINGS = 48
_PATH_BYTES, _TEXT_BYTES, _VALUE_BYTES, _NAME_BYTES = 240, 400, 140, 60

# What each state is called, what it means, and the shape and colour of its sign.
_WORDS = {
    "ok": "OK",
    "catching_up": "Catching up",
    "draining": "Draining",
    "disabled": "Disabled",
    "error": "Error",
}
_SIGNS = {
    "ok": ("M6 12.5l4 4 8-9", "#1f7a45"),
    "catching_up": ("M6 6.5l5.5 5.5L6 17.5M12.5 6.5l5.5 5.5-5.5 5.5", "#1f62b8"),
    "draining": ("M12 5v9M8 10.5l4 4 4-4M6.5 18.5h11", "#6250a8"),
    "disabled": ("M9.5 7.5v9M14.5 7.5v9", "#5c6168"),
    "error": ("M7.5 7.5l9 9M16.5 7.5l-9 9", "#b3261e"),
}
# What each state of a file is called, and how it is marked.
_FILES = {
    "done": ("delivered", "done"),
    "waiting": ("waiting", "moving"),
    "torn": ("last line unfinished", "moving"),
    "parked": ("set aside", "trouble"),
    "unreadable": ("unreadable", "trouble"),
    "refused": ("lines refused", "trouble"),
}
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="12" fill="{1}"/>'
    '<path d="{0}" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"/></svg>'
)


class Page:
    """``template`` is Jinja, ``style`` and ``script`` are put into the document as they are."""

    def __init__(self, template: str, style: str, script: str) -> None:
        environment = Environment(
            autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        environment.filters |= {
            "size": phrase.size,
            "number": phrase.number,
            "span": span,
            "moment": phrase.moment,
            "second": phrase.second,
            "quantity": phrase.quantity,
            "text": lambda text: phrase.short(" ".join(text.split()), _TEXT_BYTES),
            "value": lambda text: phrase.short(str(text), _VALUE_BYTES),
            "name": lambda text: phrase.short(str(text), _NAME_BYTES),
        }
        self._template = environment.from_string(template)
        self._assets = {"style": Markup(style), "script": Markup(script)}  # noqa: S704 - the project's own
        self.policy = (
            f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
            "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )

    def render(self, report: Mapping[str, Any]) -> bytes:
        """Return the document for a report, in UTF-8: less than 100 KB."""
        state = report["state"] if report["state"] in _WORDS else "error"
        sign, colour = _SIGNS[state]
        now = datetime.fromisoformat(report["started"]).timestamp() + report["uptime_seconds"]
        settings = report["settings"][:_MOST_SETTINGS]
        text = self._template.render(
            self._assets,
            report=report,
            health=report["health"],
            state=state,
            word=_WORDS[state],
            sign=sign,
            icon="data:image/svg+xml," + quote(_ICON.format(sign, colour)),
            advice=advice(report),
            now=now,
            charts=_charts(report, now),
            minutes=_minutes(report["history"]),
            files=[_file(each) for each in report["files"][:_MOST_FILES]],
            errors=report["errors"][:_MOST_ERRORS],
            dropped={reason: count for reason, count in report["dropped"].items() if count},
            changed=[each for each in settings if each["origin"] != "default"],
            defaults=[each for each in settings if each["origin"] == "default"],
        )
        return text.encode()


def _digest(text: str) -> str:
    """Return the source expression of Content Security Policy level 3 for an inline element's text."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _charts(report: Mapping[str, Any], now: float) -> list[dict[str, Any]]:
    kinds = (("throughput", "Throughput", "bytes_per_second", "/s"), ("lag", "Waiting", "lag_bytes", ""))
    charts = []
    for kind, title, key, unit in kinds:
        drawn = curve([(each["at"], each[key]) for each in report["history"]], now)
        charts.append({"kind": kind, "title": title, "unit": unit, "curve": drawn, "span": SPAN_SECONDS})
    return charts


def _minutes(history: list[dict[str, float]]) -> list[dict[str, Any]]:
    """Return the history by the minute, newest first: the mean of the throughput, the most that waited."""
    minutes: dict[str, list[dict[str, float]]] = {}
    for each in history[-SPAN_SECONDS // 10 :]:
        minutes.setdefault(phrase.clock(each["at"]), []).append(each)
    return [
        {
            "clock": clock,
            "rate": sum(each["bytes_per_second"] for each in points) / len(points),
            "lag": max(each["lag_bytes"] for each in points),
        }
        for clock, points in reversed(minutes.items())
    ]


def _file(file: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's row; its name apart from the folders that lead to it."""
    folder, _, name = phrase.short(file["path"], _PATH_BYTES).rpartition("/")
    words, kind = _FILES[file["state"]]
    return {
        **file,
        "folder": f"{folder}/" if folder else "",
        "name": name,
        "percent": 100 * file["settled"] // file["size"] if file["size"] else 100,
        "words": words,
        "kind": kind,
    }
