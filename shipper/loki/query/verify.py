"""Which entries of one stream Loki has."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shipper.entry import Entry, Pairs
from shipper.loki.logql import selector
from shipper.loki.query.entry_key import TRACE, Trace, trace_of_entry, trace_of_row
from shipper.loki.query.paging import walk
from shipper.loki.query.query import Ask, CannotAskError, Row

_NANOSECONDS = 1_000_000_000
# Loki's queriers do not look into its ingesters for what is older: before it has been flushed, an entry that
# is there cannot be seen. (``query_store_max_look_back_period`` and ``pkg/querier/intervals.go``.)
VISIBLE_NS = 2 * 3600 * _NANOSECONDS
# A pause longer than this is not searched: between two entries others of the stream may stand in any number.
_PAUSE_NS = 60 * _NANOSECONDS
# An identity with its metadata takes well below 1 KiB: far from the 4 MiB that Loki can answer at once.
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Presence:
    """What Loki has: it has ``stored``; of ``unknown`` it cannot be told; it has no others."""

    stored: frozenset[Entry]
    unknown: frozenset[Entry]


def presence(ask: Ask, stream: Pairs, entries: Iterable[Entry], now: int) -> Presence:
    """Ask which of these entries of one stream Loki has; ``now`` is in nanoseconds since 1970.

    What is older than ``VISIBLE_NS`` and not found is unknown. Raises ``AskAgainError``, ``CannotAskError``.
    """
    query = selector(stream) + TRACE
    asked = frozenset(entries)
    stored = frozenset(entry for near in _near(asked) for entry in _found(ask, query, near))
    old = frozenset(entry for entry in asked if entry.timestamp < now - VISIBLE_NS)
    return Presence(stored, old - stored)


def _near(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Yield the entries in groups without a long pause inside."""
    group: list[Entry] = []
    for entry in sorted(entries, key=lambda entry: entry.timestamp):
        if group and entry.timestamp - group[-1].timestamp > _PAUSE_NS:
            yield group
            group = []
        group.append(entry)
    if group:
        yield group


def _found(ask: Ask, query: str, entries: list[Entry]) -> set[Entry]:
    """Return which of these Loki has. Where it keeps no structured metadata, their bare traces tell."""
    wanted: dict[Trace, list[Entry]] = {}
    for entry in entries:
        trace = trace_of_entry(entry)
        wanted.setdefault(trace, []).append(entry)
        wanted.setdefault(trace.bare, []).append(entry)
    found: set[Entry] = set()
    for row in walk(ask, query, entries[0].timestamp, entries[-1].timestamp + 1, limit=_PAGE):
        found.update(wanted.get(_trace(row), ()))
        if len(found) == len(entries):
            break
    return found


def _trace(row: Row) -> Trace:
    try:
        return trace_of_row(row)
    except ValueError as exc:
        raise CannotAskError(f"Loki did not shorten the line as asked: {row.line[:100]!r}") from exc
