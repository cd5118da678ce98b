"""The examination for a terminal and for scripts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from shipper.commands.check.finding import Finding, Mark

Settings = Sequence[Mapping[str, str]]
Findings = Mapping[str, Sequence[Finding]]
"""What was found, by the heading that it stands under."""

_SIGNS = {
    Mark.GOOD: ("✓", "green"),
    Mark.WARNING: ("!", "yellow"),
    Mark.CROSS: ("✗", "red"),
    Mark.SKIPPED: ("-", "dim"),
}
_SUBJECT_CELLS = 12
EXIT_GOOD, EXIT_CROSS, EXIT_MISCONFIGURED = 0, 1, 2


def settings_shown(settings: Settings) -> RenderableType:
    """Return the table of the settings: key, value, origin."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for each in settings:
        style = "dim" if each["origin"] == "default" else ""
        table.add_row(*(Text(each[name], style=style) for name in ("key", "value", "origin")))
    return Group(Text("Configuration", style="bold"), Padding(table, (0, 0, 0, 2)))


def findings_shown(heading: str, findings: Sequence[Finding]) -> RenderableType:
    """Return one heading with its findings."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, show_header=False)
    table.add_column(width=1)
    table.add_column(width=_SUBJECT_CELLS, no_wrap=True)
    table.add_column(overflow="fold")
    for each in findings:
        sign, style = _SIGNS[each.mark]
        table.add_row(Text(sign, style=style), Text(each.subject, style="dim"), _told(each))
    return Group(Text(), Text(heading, style="bold"), Padding(table, (0, 0, 0, 2)))


def _told(each: Finding) -> Text:
    text = Text(each.text, style="dim" if each.mark is Mark.SKIPPED else "")
    return text.append(f"\n{each.advice}", style=_SIGNS[each.mark][1]) if each.advice else text


def summary_shown(findings: Findings) -> RenderableType:
    """Return the last line."""
    counts = counts_of(findings)
    worst = Mark.CROSS if counts[Mark.CROSS] else Mark.WARNING if counts[Mark.WARNING] else Mark.GOOD
    words = {
        Mark.CROSS: "Something is wrong",
        Mark.WARNING: "It works; something is worth a look",
        Mark.GOOD: "All is well",
    }
    sign, style = _SIGNS[worst]
    told = f"{counts[Mark.GOOD]} good, {counts[Mark.WARNING]} warnings, {counts[Mark.CROSS]} wrong"
    if counts[Mark.SKIPPED]:
        told += f", {counts[Mark.SKIPPED]} not looked at"
    return Group(Text(), Text.assemble((f"{sign} {words[worst]}: ", f"bold {style}"), told))


def counts_of(findings: Findings) -> dict[Mark, int]:
    """Return how many findings have each mark."""
    marks = [each.mark for each in _all(findings)]
    return {mark: marks.count(mark) for mark in Mark}


def exit_code(findings: Findings) -> int:
    """Return 0 without a cross, 2 where a value cannot be used, else 1."""
    if any(each.misconfigured for each in _all(findings)):
        return EXIT_MISCONFIGURED
    return EXIT_CROSS if any(each.mark is Mark.CROSS for each in _all(findings)) else EXIT_GOOD


def as_json(settings: Settings, findings: Findings) -> dict[str, Any]:
    """Return all of it for scripts."""
    return {
        "ok": exit_code(findings) == EXIT_GOOD,
        "counts": {str(mark): count for mark, count in counts_of(findings).items()},
        "settings": list(settings),
        "findings": [
            {
                "area": heading.lower(),
                "subject": each.subject,
                "mark": str(each.mark),
                "text": each.text,
                "advice": each.advice,
            }
            for heading, under in findings.items()
            for each in under
        ],
    }


def _all(findings: Findings) -> Iterator[Finding]:
    for under in findings.values():
        yield from under
