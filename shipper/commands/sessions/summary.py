"""What Loki tells of each session without a body: its calls, tokens, errors and tools.

Asked are only labels and structured metadata, written by the query itself into a short line, so that a day
of 100,000 calls is a few dozen answers; held are the sessions, not their entries.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from shipper.commands.sessions.cost import cost_of
from shipper.loki.query.paging import walk
from shipper.loki.query.query import Ask, CannotAskError, Row

_DAY_NS = 24 * 3600 * 1_000_000_000
_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_5m_tokens",
    "cache_creation_1h_tokens",
    "reasoning_tokens",
)
_NUMBERS = ("offset", "cost", *_TOKENS)
# In a line of its own what is free text: it may hold blanks, and a tool's name anything.
_FIELDS = " ".join(f'{{{{ .{name} | default "-" }}}}' for name in ("log_type", "level", *_NUMBERS))
_TEMPLATE = f"{_FIELDS}\n{{{{ .model }}}}\n{{{{ .tools }}}}"
_QUERY = (
    '{app="llm-proxy", log_type=~"session_start|fork|request|response"}'
    f" | line_format `{_TEMPLATE}` | keep session, provider, machine"
)
# Loki's ``max_entries_limit_per_query``; such rows take 300 bytes, far from the 4 MiB of an answer.
_PAGE = 5000


@dataclass(slots=True)
class Summary:
    """One session within the time asked for; ``first`` and ``last`` are in nanoseconds since 1970.

    ``tokens`` are counts by name, ``tools`` and ``models`` how often each was used; ``cost`` is in
    US dollars, as the provider says it or by list price; ``unpriced`` calls, of unknown price, are not in it.
    """

    session: str
    provider: str = ""
    machine: str = ""
    first: int = 0
    last: int = 0
    requests: int = 0
    responses: int = 0
    errors: int = 0
    forked: bool = False
    tokens: Counter[str] = field(default_factory=Counter)
    cost: float = 0.0
    unpriced: int = 0
    models: Counter[str] = field(default_factory=Counter)
    tools: Counter[str] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """How many calls there were; one that still runs has no response yet."""
        return max(self.requests, self.responses)


def summaries(ask: Ask, start: int, end: int) -> list[Summary]:
    """Return the sessions with entries from ``start`` to before ``end``, in nanoseconds, the latest first.

    Copies count once. Raises what asking raises.
    """
    found: dict[str, Summary] = {}
    for row in _without_copies(_rows(ask, start, end)):
        session = row.fields.get("session", "")
        if session:
            _add(found.setdefault(session, Summary(session, first=row.timestamp)), row)
    return sorted(found.values(), key=lambda each: each.last, reverse=True)


def _rows(ask: Ask, start: int, end: int) -> Iterator[Row]:
    """Yield all rows day by day: Loki refuses longer ranges than its ``max_query_length``."""
    for day in range(start, end, _DAY_NS):
        yield from walk(ask, _QUERY, day, min(day + _DAY_NS, end), limit=_PAGE)


def _without_copies(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield each entry once: its copies, in other shards or under ``late``, have its time and offset."""
    for _, moment in groupby(rows, key=lambda row: row.timestamp):
        yield from {(row.fields.get("session"), row.line): row for row in moment}.values()


def _add(summary: Summary, row: Row) -> None:
    numbers, _, rest = row.line.partition("\n")
    model, _, tools = rest.partition("\n")
    try:
        kind, level, _, cost, *counts = numbers.split(" ")
        tokens = {name: int(count) for name, count in zip(_TOKENS, counts, strict=True) if count != "-"}
        said = {} if cost == "-" else {"cost": float(cost)}
    except ValueError as exc:
        raise CannotAskError(f"Loki did not shorten the line as asked: {row.line[:100]!r}") from exc
    summary.last = max(summary.last, row.timestamp)
    summary.provider = summary.provider or row.fields.get("provider", "")
    summary.machine = summary.machine or row.fields.get("machine", "")
    summary.forked |= kind == "fork"
    summary.requests += kind == "request"
    if kind == "response":
        summary.responses += 1
        summary.errors += level == "error"
        summary.tokens.update(tokens)
        if used := tokens | said:
            price = cost_of(summary.provider, model, used, _day(row.timestamp))
            summary.cost += price or 0.0
            summary.unpriced += price is None
        summary.tools.update(filter(None, tools.split(",")))
    if model:
        summary.models[model] += 1


def _day(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC).strftime("%Y-%m-%d")
