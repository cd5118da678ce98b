"""The result of an audit for a terminal, and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from groundwork.settings.units import format_bytesize
from groundwork.text import middle
from shipper.pipeline.audit.comparison import Account, Finding, Tally, totals

# Findings that a terminal shows; --json has all.
_MOST_FINDINGS = 50
_FILE_CELLS = 40
_NANOSECONDS = 1_000_000_000
_MEANING = {
    "missing": "Loki acknowledged it and does not have it; --repair sends it again",
    "cut": "Loki has its beginning only: look at max_line_size_truncate in Loki's limits",
    "doubled": "Loki stores it more than once; metric queries count each copy",
    "foreign": "Loki has it, the file does not",
    "rejected": "Loki rejected it; see llm-loki-ship rejected",
    "waiting": "not shipped yet",
}
# Loki's queriers do not look for older lines in its ingesters.
_UNFLUSHED = (
    "Loki shows lines stamped more than two hours before they were sent only after it has flushed them, by "
    "default within two and a half hours."
)


def json_of(accounts: Sequence[Account], findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the windows and findings for scripts; times are RFC 3339."""
    return {
        "totals": totals(findings),
        "windows": [
            {
                "stream": dict(each.stream),
                "window": _moment(each.window),
                "files": _tally(each.files),
                "loki": _tally(each.loki),
                "agree": each.files == each.loki,
            }
            for each in accounts
        ],
        "findings": [{**asdict(each), "time": _moment(each.time)} for each in findings],
    }


def audit_shown(accounts: Sequence[Account], findings: Sequence[Finding], width: int) -> RenderableType:
    """Return windows and findings for a terminal of that width."""
    parts: list[RenderableType] = [_windows(accounts)]
    if findings:
        parts += [Text(), _findings(findings, width)]
        if len(findings) > _MOST_FINDINGS:
            parts.append(Text(f"and {len(findings) - _MOST_FINDINGS:,} more (--json lists all)", style="dim"))
        for kind in dict.fromkeys(each.kind for each in findings):
            parts.append(Text.assemble((f"{kind}: ", "dim"), _MEANING[kind], overflow="fold"))
        if any(each.kind == "missing" for each in findings):
            parts.append(Text(_UNFLUSHED, style="dim", overflow="fold"))
    return Group(*parts, Text())


def _windows(accounts: Sequence[Account]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for title in ("hour", "stream", "lines", "in Loki", "bytes", "in Loki", "hash"):
        table.add_column(title, justify="left" if title in {"hour", "stream"} else "right", no_wrap=True)
    for each in accounts:
        files, loki = each.files, each.loki
        table.add_row(
            f"{_moment(each.window)[:13].replace('T', ' ')}:00",
            " ".join(value for name, value in each.stream if name in {"provider", "machine", "log_type"}),
            f"{files.lines:,}",
            f"{loki.lines:,}",
            format_bytesize(files.size),
            format_bytesize(loki.size),
            f"{files.digest:016x}" if files.digest == loki.digest else Text("differs", style="red"),
            style="" if files == loki else "red",
        )
    return table


def _findings(findings: Sequence[Finding], width: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for title in ("", "entries", "lines", "file"):
        table.add_column(title, justify="right" if title == "entries" else "left", no_wrap=True)
    for each in findings[:_MOST_FINDINGS]:
        lines = f"{each.first:,}" if each.first == each.last else f"{each.first:,} to {each.last:,}"
        table.add_row(
            Text(each.kind, style="yellow" if each.kind == "waiting" else "red"),
            f"{each.entries:,}",
            lines if each.first else "none",
            middle(each.file, max(16, width - _FILE_CELLS)),
        )
    return table


def _tally(tally: Tally) -> dict[str, Any]:
    return {"lines": tally.lines, "bytes": tally.size, "hash": f"{tally.digest:016x}"}


def _moment(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, _NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"
