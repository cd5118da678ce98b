"""What ``/health`` and ``/metrics`` of the running proxy say, for ``llm-proxy status``."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from groundwork.settings.units import format_bytesize
from groundwork.text import span

State = Literal["running", "failing", "stopped", "foreign"]
"""``failing`` runs without being able to write its log; ``foreign`` is another program at the address."""

_COLOURS: dict[State, str] = {"running": "green", "failing": "red", "stopped": "red", "foreign": "red"}
_KNOWN = frozenset({"status", "version", "uptime_seconds", "calls"})
_SAMPLE = re.compile(r"llm_proxy_(\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_LABEL_CELLS = 14
_OK = 200
# What half of the calls, and nearly all of them, stay below.
_SHARES = (0.5, 0.95)

Counts = Mapping[str, int]
Fact = tuple[str, RenderableType, str]
"""A label, what stands beside it, and the colour of that."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the proxy at ``url`` is.

    ``reason`` tells why it is no better; ``requests`` are by provider and status, ``added`` counts of calls
    by the upper bound in seconds. All of that is empty where ``/metrics`` was not shown.
    """

    url: str
    state: State
    reason: str = ""
    health: Mapping[str, Any] = field(default_factory=dict)
    requests: Mapping[str, Counts] = field(default_factory=dict)
    failures: Counts = field(default_factory=dict)
    gauges: Counts = field(default_factory=dict)
    added: Mapping[str, int] = field(default_factory=dict)


def standing_of(url: str, health: Any, metrics: tuple[int, str]) -> Standing:
    """Read the answers: ``health`` as JSON, None where it was none, ``metrics`` as status and text."""
    if not isinstance(health, dict) or not health.keys() >= _KNOWN:
        return Standing(url, "foreign", f"what answers at {url} is not llm-proxy")
    failing = health["status"] != "ok"
    reason = f"the log cannot be written: {health.get('last_error')}" if failing else ""
    state: State = "failing" if failing else "running"
    if metrics[0] != _OK:
        return Standing(url, state, reason, health)
    requests: dict[str, dict[str, int]] = {}
    failures: dict[str, int] = {}
    gauges: dict[str, int] = {}
    added: dict[str, int] = {}
    for name, labels, value in _samples(metrics[1]):
        if name == "requests_total" and value:
            requests.setdefault(labels["provider"], {})[labels["status"]] = value
        elif name == "failures_total" and value:
            failures[labels["kind"]] = value
        elif name == "added_seconds_bucket":
            added[labels["le"]] = value
        elif not labels:
            gauges[name] = value
    return Standing(url, state, reason, health, requests, failures, gauges, added)


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], int]]:
    for line in text.splitlines():
        if found := _SAMPLE.fullmatch(line):
            yield found[1], dict(_LABEL.findall(found[2] or "")), int(float(found[3]))


def as_json(standing: Standing) -> dict[str, Any]:
    """Return all of it for a script."""
    return {
        "state": standing.state,
        "url": standing.url,
        "reason": standing.reason or None,
        **{name: value for name, value in standing.health.items() if name != "status"},
        "streams_running": standing.gauges.get("streams_running"),
        "queue_items": standing.gauges.get("journal_queue_items"),
        "requests": standing.requests,
        "failures": standing.failures,
    }


def shown(standing: Standing) -> RenderableType:
    """Return what ``status`` prints on a terminal."""
    colour = _COLOURS[standing.state]
    head = Text.assemble(("● ", colour), (standing.state, f"bold {colour}"))
    if not standing.health:
        return Group(head, _table([("", standing.reason, "")]))
    up = span(standing.health["uptime_seconds"])
    head.append(f"  llm-proxy {standing.health['version']}, up {up}")
    return Group(head, _table(_facts(standing)))


def _table(facts: Iterable[Fact]) -> Table:
    table = Table.grid()
    table.add_column(style="dim", width=_LABEL_CELLS, no_wrap=True)
    table.add_column(overflow="fold")
    for label, text, colour in facts:
        table.add_row(f"  {label}", Text(text, style=colour) if isinstance(text, str) else text)
    return table


def _facts(standing: Standing) -> Iterator[Fact]:
    health, gauges = standing.health, standing.gauges
    if standing.reason:
        yield "", standing.reason, "red"
    yield "address", standing.url, ""
    streams = gauges.get("streams_running")
    flowing = f", {streams:,} of them answer" if streams else ""
    yield "calls", f"{health['calls']:,}, {health.get('calls_running', 0):,} run now{flowing}", ""
    for provider, statuses in standing.requests.items():
        yield _shown(provider), Columns(_counts(statuses), padding=(0, 3)), ""
    if standing.failures:
        text = ", ".join(f"{count:,} {kind}" for kind, count in standing.failures.items())
        yield "failed", text, "yellow"
    if times := _times(standing.added):
        yield "adds", times, ""
    yield "sessions", f"{health.get('sessions', 0):,} began", ""
    missing, bodies = health.get("records_missing", 0), health.get("bodies_omitted", 0)
    yield (
        "records",
        f"{health.get('records_written', 0):,} written, {missing:,} missing, {bodies:,} without their body",
        "red" if missing else "yellow" if bodies else "",
    )
    yield "queue", f"{format_bytesize(health.get('queue_bytes', 0))} to write", ""
    yield "free disk", format_bytesize(health.get("free_bytes", 0)), ""
    yield "last error", health.get("last_error") or "none", "red" if health.get("last_error") else ""


def _shown(provider: str) -> str:
    return "  refused" if provider == "none" else f"  {provider}"


def _counts(statuses: Counts) -> Iterator[Text]:
    for status, count in statuses.items():
        yield Text.assemble((status, "yellow" if status[0] in "45" else "dim"), f" {count:,}")


def _times(added: Mapping[str, int]) -> str:
    """Say what half of the calls and nearly all of them stay below, as far as the bounds tell."""
    total = added.get("+Inf", 0)
    if not total:
        return ""
    bounds = [next(bound for bound, count in added.items() if count >= share * total) for share in _SHARES]
    texts = [f"more than {_last(added)}" if bound == "+Inf" else f"up to {_ms(bound)}" for bound in bounds]
    return f"{texts[0]} to half of the calls, {texts[1]} to 95 %"


def _last(added: Mapping[str, int]) -> str:
    return _ms(list(added)[-2])


def _ms(bound: str) -> str:
    return f"{float(bound) * 1000:g} ms"
