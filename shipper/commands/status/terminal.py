"""The state report for a terminal, at any width."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from groundwork.settings.units import format_bytesize
from groundwork.text import ago, middle, span
from shipper.telemetry.page.format import moment
from shipper.telemetry.page.hints import advice

Report = Mapping[str, Any]

# A word, and the colour that says the same.
_COLOURS = {
    "ok": "green",
    "catching_up": "yellow",
    "draining": "yellow",
    "disabled": "dim",
    "not running": "red",
    "error": "red",
}
_FILE_COLOURS = {"parked": "red", "unreadable": "red", "refused": "red", "waiting": "yellow", "torn": "dim"}
# A screen of 24 lines holds what stands above, and these.
MOST_FILES = 12
_BAR_CELLS = 10
_LABEL_CELLS = 12


class _Column(NamedTuple):
    """A column of the files: from which width of the terminal on it is shown."""

    title: str
    from_width: int
    justify: Any = "right"


_COLUMNS = (
    _Column("state", 0, "left"),
    _Column("waiting", 0),
    _Column("size", 90),
    _Column("delivered", 75, "left"),
    _Column("changed", 65),
)
_LEAST_PATH_CELLS = 16


def state_shown(report: Report, width: int) -> RenderableType:
    """Return what ``status`` prints on a terminal of that many columns."""
    parts: list[RenderableType] = [_headline(report), _told(_facts(report))]
    if report["files"]:
        parts += [Text(), _files(report["files"][:MOST_FILES], width)]
        more = report["files_total"] - min(MOST_FILES, len(report["files"]))
        if more > 0:
            parts.append(Text(f"and {more:,} more file{'s' * (more > 1)}", style="dim"))
    return Group(*parts)


def _headline(report: Report) -> Text:
    word = report["state"]
    head = Text.assemble(("● ", _COLOURS[word]), (word.replace("_", " "), f"bold {_COLOURS[word]}"))
    if report.get("uptime_seconds") is not None:
        head.append(f"  llm-loki-ship {report['version']}, up {span(report['uptime_seconds'])}")
    return head


def _told(facts: Iterator[tuple[str, ...]]) -> Table:
    """Return lines of a name, a text and perhaps the text's colour, long texts wrapped beside the names."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", min_width=_LABEL_CELLS, no_wrap=True)
    table.add_column(overflow="fold")
    for name, text, *style in facts:
        table.add_row(f"  {name}", Text(text, *style))
    return table


def _facts(report: Report) -> Iterator[tuple[str, ...]]:
    yield from _advice(report)
    yield "folder", f"{report['log_dir']}, {_count(report['files_total'])}"
    if report.get("loki"):
        yield "Loki", report["loki"]
    yield "backlog", _backlog(report["backlog"])
    if health := report.get("health"):
        rate = report["throughput"]
        per_second = format_bytesize(round(rate["bytes_per_second"]))
        yield "throughput", f"{per_second}/s, {rate['lines_per_second']:.4g} lines/s"
        yield "delivered", _delivered(health)
        if health.get("read_back_until"):
            yield "read back", _read_back(health)
    yield from _troubles(report)


def _count(files: int) -> str:
    return "1 file" if files == 1 else f"{files:,} files"


def _advice(report: Report) -> Iterator[tuple[str, ...]]:
    if hint := report.get("hint"):
        yield "", hint, "yellow"
    if report["state"] in {"error", "disabled"}:
        told = advice(report)
        yield "", told.summary
        for step in told.steps:
            yield "do", step, "yellow"
    elif report.get("advice"):
        yield "do", report["advice"], "yellow"


def _backlog(backlog: Report) -> str:
    if not backlog["bytes"]:
        return "nothing waits"
    told = format_bytesize(backlog["bytes"])
    if backlog.get("oldest_unsent_seconds"):
        told += f", the oldest line is {span(backlog['oldest_unsent_seconds'])} old"
    if backlog.get("catch_up_seconds"):
        told += f", about {span(backlog['catch_up_seconds'])} to go"
    return told


def _delivered(health: Report) -> str:
    told = f"{health['entries_sent']:,} lines in {health['batches_sent']:,} pushes"
    extra = {
        "refused or lost": health["entries_dropped"],
        "late": health["entries_late"],
        "perhaps twice": health["maybe_duplicated"],
    }
    return told + "".join(f", {count:,} {name}" for name, count in extra.items() if count)


def _read_back(health: Report) -> str:
    told = f"until {moment(health['read_back_until'])} UTC"
    forgotten, restored = health["entries_forgotten"], health["entries_restored"]
    return f"{told}; Loki had forgotten {forgotten:,} entries, sent again {restored:,}" if forgotten else told


def _troubles(report: Report) -> Iterator[tuple[str, ...]]:
    for each in report.get("health", {}).get("parked", ()) if report.get("health") else ():
        yield "set aside", f"{each['file']} at byte {each['offset']:,}", "red"
    health = report.get("health") or {}
    if health.get("last_error"):
        failing = report["state"] == "error"
        when = ago(report["error_age_seconds"]) if report.get("error_age_seconds") is not None else ""
        yield "last error", f"{health['last_error']}{f' ({when})' if when else ''}", "red" if failing else ""


def _files(files: Sequence[Report], width: int) -> Table:
    columns = [each for each in _COLUMNS if width >= each.from_width]
    made = [_cells(each) for each in files]
    taken = sum(2 + max(len(each.title), *(row[each.title].cell_len for row in made)) for each in columns)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for each in columns:
        table.add_column(each.title, justify=each.justify, no_wrap=True)
    table.add_column("file", no_wrap=True)
    for file, cells in zip(files, made, strict=True):
        path = Text(_path(file["path"], max(_LEAST_PATH_CELLS, width - taken)))
        table.add_row(*(cells[each.title] for each in columns), path)
    return table


def _cells(file: Report) -> dict[str, Text]:
    age = file["age_seconds"]
    return {
        "state": Text(file["state"], style=_FILE_COLOURS.get(file["state"], "green")),
        "waiting": Text(format_bytesize(file["waiting"]) if file["waiting"] else "-"),
        "size": Text(format_bytesize(file["size"])),
        "delivered": _bar(file["settled"], file["size"]),
        "changed": Text(ago(age) if age is not None else "-"),
    }


def _path(path: str, cells: int) -> str:
    """Return a path of at most so many cells: the session's name whole, where there is room for it."""
    folder, slash, name = path.rpartition("/")
    room = cells - len(name) - len(slash)
    return f"{middle(folder, room)}{slash}{name}" if room > 1 else middle(name, cells)


def _bar(settled: int, size: int) -> Text:
    part = min(1.0, settled / size) if size else 1.0
    full = int(part * _BAR_CELLS)
    # Only what is whole is 100 %.
    return Text.assemble(
        ("━" * full, "green"), ("━" * (_BAR_CELLS - full), "dim"), f" {int(part * 100):>3} %"
    )
