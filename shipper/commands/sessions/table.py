"""The recent sessions as a table for a terminal of any width, and as rows of JSON."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from groundwork.text import ago, middle
from shipper.commands.sessions.summary import Summary
from shipper.record.timestamp import session_time

_NANOSECONDS = 1_000_000_000
_THOUSAND = 1000
_COST_DIGITS = 9  # a token's price has fewer; the sum of floats shows more


class _Column(NamedTuple):
    """A column: from which width of the terminal on it is shown, and its cells with the space behind."""

    title: str
    from_width: int
    cells: int
    text: Callable[[Summary, float], str]
    justify: Any = "right"


def _tokens(*names: str) -> Callable[[Summary, float], str]:
    return lambda each, _: short(sum(each.tokens[name] for name in names))


_COLUMNS = (
    _Column("session", 0, 26, lambda each, _: middle(each.session, 24), "left"),
    _Column("last", 0, 12, lambda each, now: ago(max(0.0, now - each.last / _NANOSECONDS))),
    _Column("calls", 0, 7, lambda each, _: short(each.calls)),
    _Column("errors", 0, 8, lambda each, _: short(each.errors) if each.errors else "-"),
    _Column("in", 70, 8, _tokens("input_tokens", "cache_creation_input_tokens")),
    _Column("out", 70, 8, _tokens("output_tokens")),
    _Column("cached", 80, 8, _tokens("cache_read_input_tokens")),
    _Column("cost", 90, 12, lambda each, _: _cost(each)),
    _Column("provider", 160, 12, lambda each, _: middle(each.provider, 10), "left"),
    _Column("started", 140, 18, lambda each, _: f"{_moment(started(each)):%Y-%m-%d %H:%M}", "left"),
    _Column("models", 100, 0, lambda each, _: _most_used(each.models), "left"),
    _Column("tools", 120, 0, lambda each, _: _with_counts(each.tools), "left"),
)


def sessions_shown(sessions: Sequence[Summary], most: int, now: float, width: int) -> RenderableType:
    """Return the first ``most`` sessions as a table; ``now`` is in seconds since 1970."""
    columns = [each for each in _COLUMNS if width >= each.from_width]
    free = [each for each in columns if not each.cells]
    share = (width - sum(each.cells for each in columns)) // max(1, len(free)) - 2
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", expand=False)
    for column in columns:
        table.add_column(column.title, justify=column.justify, no_wrap=True)
    for each in sessions[:most]:
        style = "red" if each.errors else ""
        texts = (
            (column.title, column.text(each, now), share if not column.cells else width) for column in columns
        )
        table.add_row(
            *(
                Text(_cut(text, cells), style=style if title == "errors" else "")
                for title, text, cells in texts
            )
        )
    return Group(table, Text(_total(sessions, most), style="dim"))


def json_rows(sessions: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return the sessions for scripts: times in RFC 3339, whole counts."""
    return [
        {
            "session": each.session,
            "started": _rfc3339(started(each)),
            "last_activity": _rfc3339(each.last),
            "provider": each.provider,
            "machine": each.machine,
            "models": list(each.models),
            "calls": each.calls,
            "errors": each.errors,
            "fork": each.forked,
            "input_tokens": each.tokens["input_tokens"],
            "output_tokens": each.tokens["output_tokens"],
            "cache_read_input_tokens": each.tokens["cache_read_input_tokens"],
            "cache_creation_input_tokens": each.tokens["cache_creation_input_tokens"],
            "cache_creation_5m_tokens": each.tokens["cache_creation_5m_tokens"],
            "cache_creation_1h_tokens": each.tokens["cache_creation_1h_tokens"],
            "reasoning_tokens": each.tokens["reasoning_tokens"],
            "cost": round(each.cost, _COST_DIGITS),
            "unpriced_calls": each.unpriced,
            "tools": dict(each.tools.most_common()),
        }
        for each in sessions
    ]


def started(session: Summary) -> int:
    """Return when a session began, in nanoseconds: as its name tells, else its first entry."""
    return session_time(session.session) or session.first


def short(count: int) -> str:
    """Return a count in at most five characters below a thousand billions: ``999``, ``12.3k``, ``4.5M``."""
    amount = float(count)
    for unit in ("", "k", "M"):
        if round(amount) < _THOUSAND:
            return f"{count}" if not unit else f"{amount:.1f}{unit}"
        amount /= _THOUSAND
    return f"{amount:.1f}G"


def _cost(session: Summary) -> str:
    """Return dollars; with ``+?`` where the price of some calls is unknown."""
    told = f"{session.cost:.4f}" if session.cost else ""
    return (f"{told}+?" if told else "?") if session.unpriced else told or "-"


def _total(sessions: Sequence[Summary], most: int) -> str:
    calls, errors = sum(each.calls for each in sessions), sum(each.errors for each in sessions)
    told = f"{len(sessions):,} sessions, {calls:,} calls, {errors:,} errors"
    hidden = len(sessions) - most
    return f"{told}; {hidden:,} older sessions not shown (--limit)" if hidden > 0 else told


def _most_used(counts: Counter[str]) -> str:
    return ", ".join(name for name, _ in counts.most_common())


def _with_counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _cut(text: str, cells: int) -> str:
    printable = "".join(each if each.isprintable() else "?" for each in text)
    return printable if len(printable) <= cells else f"{printable[: cells - 1]}…"


def _moment(nanoseconds: int) -> datetime:
    return datetime.fromtimestamp(nanoseconds / _NANOSECONDS, UTC)


def _rfc3339(nanoseconds: int) -> str:
    return _moment(nanoseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
