"""The list of sessions: which are meant, in which order, and what they cost together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from shipper.commands.sessions.explore.sources.summary import Spent, Summary, summed

PAGE = 60
_MOST_DAYS = 31
_MOST_MODELS = 8


@dataclass(frozen=True)
class Filters:
    """What the address of the page asks for; empty texts ask for everything."""

    text: str = ""
    day: str = ""
    host: str = ""
    model: str = ""
    client: str = ""
    tool: str = ""
    errors: bool = False
    above: float = 0.0
    page: int = 1

    def fits(self, session: Summary) -> bool:
        """Tell whether a session is meant."""
        return (
            (
                not self.text
                or self.text.lower() in f"{session.words} {session.session} {session.path}".lower()
            )
            and (
                not self.day
                or any(key.startswith(self.day) for key in session.spent)
                or session.day == self.day
            )
            and (not self.host or session.host == self.host)
            and (not self.model or self.model in session.models)
            and (not self.client or session.client == self.client)
            and (not self.tool or self.tool in session.tools)
            and (not self.errors or bool(session.total.errors or session.broken))
            and session.total.cost >= self.above
        )

    def query(self, **changed: object) -> str:
        """Return the query of the page's address, with changes; what is at its default is left out."""
        values = {**vars(self), "page": 1, **changed}
        return urlencode({name: _told(value) for name, value in values.items() if value != _DEFAULTS[name]})


def _told(value: object) -> str:
    return "1" if value is True else str(value)


_DEFAULTS = vars(Filters())


def filters_of(query: Mapping[str, str]) -> Filters:
    """Return the filters of an address; what cannot be read is not asked for."""
    texts = {name: query.get(name, "") for name in ("text", "day", "host", "model", "client", "tool")}
    return Filters(
        **texts,
        errors=query.get("errors", "") not in {"", "0"},
        above=max(0.0, _number(query.get("above", ""))),
        page=max(1, int(min(_number(query.get("page", "1")), 1e6))),
    )


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if number == number else 0.0  # noqa: PLR0124 - NaN is no number


class Row(NamedTuple):
    """A session in the list; ``depth`` is 1 for a fork below the session that it has left."""

    session: Summary
    depth: int


class Bar(NamedTuple):
    """A day's cost, and the share of each model in it from the bottom up, as parts of the highest day."""

    day: str
    cost: float
    calls: int
    shares: tuple[tuple[int, float, float], ...]


class Listing(NamedTuple):
    """One page of the list, and what all pages hold together."""

    rows: list[Row]
    found: int
    pages: int
    total: Spent
    bars: list[Bar]
    models: list[tuple[str, Spent]]
    choices: dict[str, list[str]]


def listing(sessions: Iterable[Summary], filters: Filters) -> Listing:
    """Return the sessions that fit, the latest first, forks below the session that they have left."""
    every = list(sessions)
    fitting = sorted(filter(filters.fits, every), key=lambda each: each.last, reverse=True)
    rows = _tree(fitting)
    spent = [(key, each) for session in fitting for key, each in session.spent.items()]
    models = _by_model(spent)
    start = (filters.page - 1) * PAGE
    return Listing(
        rows[start : start + PAGE],
        len(fitting),
        max(1, -(-len(rows) // PAGE)),
        summed(each for _, each in spent),
        _bars(spent, [name for name, _ in models]),
        models,
        _choices(every),
    )


def _tree(sessions: list[Summary]) -> list[Row]:
    names = {each.session for each in sessions}
    children: dict[str, list[Summary]] = {}
    for each in sessions:
        if each.parent in names:
            children.setdefault(each.parent, []).append(each)
    rows: list[Row] = []
    shown: set[str] = set()

    def put(session: Summary) -> None:
        left = [(session, 0)]
        while left:
            each, depth = left.pop()
            if each.session not in shown:
                shown.add(each.session)
                rows.append(Row(each, depth))
                left += ((child, depth + 1) for child in reversed(children.get(each.session, [])))

    for each in sessions:
        if each.parent not in names:
            put(each)
    # Two that name each other as parents have no top.
    for each in sessions:
        put(each)
    return rows


def _by_model(spent: list[tuple[str, Spent]]) -> list[tuple[str, Spent]]:
    groups: dict[str, list[Spent]] = {}
    for key, each in spent:
        groups.setdefault(key.partition(" ")[2], []).append(each)
    sums = [(name, summed(group)) for name, group in groups.items()]
    return sorted(sums, key=lambda each: (each[1].cost, each[1].calls), reverse=True)[:_MOST_MODELS]


def _bars(spent: list[tuple[str, Spent]], models: list[str]) -> list[Bar]:
    days: dict[str, dict[str, Spent]] = {}
    for key, each in spent:
        day, _, model = key.partition(" ")
        by_model = days.setdefault(day, {})
        by_model[model] = summed([by_model.get(model, Spent()), each])
    latest = sorted(days)[-_MOST_DAYS:]
    costs = {day: summed(days[day].values()) for day in latest}
    # Where nothing has a price, calls are drawn.
    priced = any(each.cost for each in costs.values())
    top = max((each.cost if priced else each.calls for each in costs.values()), default=0) or 1
    bars = []
    for day in latest:
        shares, bottom = [], 0.0
        for number, model in enumerate([*models, *(days[day].keys() - set(models))]):
            part = days[day].get(model, Spent())
            height = (part.cost if priced else part.calls) / top
            if height:
                shares.append((min(number, _MOST_MODELS), bottom, height))
                bottom += height
        bars.append(Bar(day, costs[day].cost, costs[day].calls, tuple(shares)))
    return bars


def _choices(sessions: list[Summary]) -> dict[str, list[str]]:
    """Return what each filter can be set to."""
    return {
        "day": sorted({key[:10] for each in sessions for key in each.spent}, reverse=True),
        "host": sorted({each.host for each in sessions}),
        "model": sorted({model for each in sessions for model in each.models}),
        "client": sorted({each.client for each in sessions if each.client}),
        "tool": sorted({tool for each in sessions for tool in each.tools}),
    }
