"""Audits one session file: its entries in groups, each against one answer of Loki."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from shipper.entry import Entry
from shipper.loki.logql import quoted
from shipper.loki.query.paging import walk
from shipper.loki.query.query import Measurement, Row
from shipper.loki.query.reading import Reading
from shipper.pipeline.audit.comparison import (
    Accounts,
    Compared,
    Expected,
    Finding,
    compare,
    finding,
    joined,
    place_of,
    stream_of_row,
)
from shipper.pipeline.audit.lines import FileLine

# The answer to one group stays far below the 4 MiB that Loki's parts exchange at most.
_GROUP_ENTRIES = 1000
_GROUP_BYTES = 1 << 20
# A pause is not searched: of a stream others may write in it.
_PAUSE_NS = 3600 * 10**9
# Loki answers a metric query with 500 series at most (``max_query_series``).
_SERIES = 250
_MILLISECOND = 10**6
# Foreign rows that are named; more are counted with the last one.
_MOST_FOREIGN = 1000
_SELECTOR = '{app="llm-proxy"}'

# Sends entries of one file again and returns how many Loki acknowledged.
Repair = Callable[[Sequence[Entry]], int]


@dataclass(frozen=True, slots=True)
class FileState:
    """What is known of a file: its bytes up to ``settled`` were acknowledged or rejected.

    ``rejected`` holds the offset and part of entries that Loki rejected.
    """

    path: str
    settled: int
    rejected: Container[tuple[int, int]] = ()


@dataclass(slots=True)
class FileAudit:
    """The audit of one file. ``run`` raises what a query raises and ``OSError``."""

    state: FileState
    reading: Reading
    accounts: Accounts
    repair: Repair | None = None
    findings: list[Finding] = field(default_factory=list)
    repaired: int = 0
    _starts: "array[int]" = field(default_factory=lambda: array("q"))
    _times: "array[int]" = field(default_factory=lambda: array("q"))
    _strangers: dict[tuple[str, int, int], Row] = field(default_factory=dict)

    def run(self, lines: Iterable[FileLine]) -> list[Finding]:
        """Compare all lines with Loki and return where they differ, in the order of the file."""
        searched = 0
        for group in self._groups(lines):
            times = [each.entry.timestamp for each in group]
            earliest, latest = min(times), max(times)
            start = searched if 0 < earliest - searched < _PAUSE_NS else earliest
            searched = max(searched, latest + 1)
            self._audit(group, start, latest + 1)
        self.findings += [self._foreign(row) for row in self._strangers.values() if self._is_foreign(row)]
        return joined(self.findings)

    def _groups(self, lines: Iterable[FileLine]) -> Iterator[list[Expected]]:
        group: list[Expected] = []
        size = 0
        for each in self._entries(lines):
            entry = each.entry
            if group and (
                len(group) >= _GROUP_ENTRIES
                or size + entry.length > _GROUP_BYTES
                or _session(entry) != _session(group[0].entry)
                or abs(entry.timestamp - group[-1].entry.timestamp) > _PAUSE_NS
            ):
                yield group
                group, size = [], 0
            group.append(each)
            size += entry.length
        if group:
            yield group

    def _entries(self, lines: Iterable[FileLine]) -> Iterator[Expected]:
        for line in lines:
            entries = line.entries
            self._starts.append(entries.first.span.start)
            self._times.append(entries.first.timestamp)
            for part in range(entries.count):
                yield Expected(line.number, entries.entry(part))

    def _audit(self, group: list[Expected], start: int, end: int) -> None:
        rows = self._rows(group, start, end)
        if self.repair:
            before = compare(group, rows, Accounts())
            lost = [each.entry for each in (*before.missing, *before.cut) if self._is_due(each)]
            if lost:
                self.repaired += self.repair(lost)
                rows = self._rows(group, start, end)
        compared = compare(group, rows, self.accounts)
        self._note(compared)
        copies = self._copies(group, len(rows), end - 1)
        self.findings += [finding("doubled", self.state.path, each) for each in copies]

    def _rows(self, group: list[Expected], start: int, end: int) -> list[Row]:
        query = f"{_SELECTOR} | session={quoted(_session(group[0].entry))}"
        rows = list(walk(self.reading.ask, query, start, end, limit=_GROUP_ENTRIES))
        if rows:
            return rows
        # Without structured metadata no row tells its session: the lines themselves are compared.
        return [
            row
            for row in walk(self.reading.ask, _SELECTOR, start, end, limit=_GROUP_ENTRIES)
            if place_of(row) is None
        ]

    def _note(self, compared: Compared) -> None:
        path, rejected = self.state.path, self.state.rejected
        for each in compared.missing:
            span = each.entry.span
            if (span.start, each.entry.part) in rejected:
                self.findings.append(finding("rejected", path, each))
            else:
                self.findings.append(finding("missing" if self._is_due(each) else "waiting", path, each))
        self.findings += [finding("cut", path, each) for each in compared.cut]
        self.findings += [finding("doubled", path, each) for each in compared.doubled]
        for row in compared.strangers:
            place = place_of(row)
            if place and len(self._strangers) < _MOST_FOREIGN:
                self._strangers[*place, row.timestamp] = row

    def _is_due(self, each: Expected) -> bool:
        span = each.entry.span
        return span.end <= self.state.settled and (span.start, each.entry.part) not in self.state.rejected

    def _copies(self, group: list[Expected], rows: int, latest: int) -> list[Expected]:
        """Return the entries that Loki stores more than once although its log queries show them once."""
        counted = self._measured(group, latest, "sum")
        if sum(counted.values()) <= rows:
            return []
        found: list[Expected] = []
        for first in range(0, len(group), _SERIES):
            some = group[first : first + _SERIES]
            by_place = self._measured(some, max(each.entry.timestamp for each in some), "sum by (pos, part)")
            found += [
                each
                for each in some
                if by_place.get((str(each.entry.span.start), str(each.entry.part)), 0) > 1
            ]
        return found

    def _measured(self, group: list[Expected], latest: int, operation: str) -> dict[tuple[str, str], float]:
        earliest = min(each.entry.timestamp for each in group)
        window = (latest - earliest) // _MILLISECOND + 1
        query = (
            f"{operation} (count_over_time({_SELECTOR} | session={quoted(_session(group[0].entry))} "
            f'| label_format pos="{{{{.offset}}}}" [{window}ms]))'
        )
        samples = self.reading.measure(Measurement(query, earliest, latest))
        return {
            (each.labels.get("pos", ""), each.labels.get("part", "") or "0"): each.value for each in samples
        }

    def _is_foreign(self, row: Row) -> bool:
        """Tell whether no line of the file stands at a row's place and time."""
        place = place_of(row)
        if place is None or not place[0].isdigit():
            return False
        start = int(place[0])
        index = bisect_left(self._starts, start)
        known = index < len(self._starts) and self._starts[index] == start
        return not known or self._times[index] + place[1] != row.timestamp

    def _foreign(self, row: Row) -> Finding:
        self.accounts.of(stream_of_row(row), row.timestamp).loki.add(row.timestamp, row.line.encode())
        place = place_of(row)
        start = int(place[0]) if place else 0
        return Finding("foreign", self.state.path, 0, 0, start, start, 1, row.timestamp)


def _session(entry: Entry) -> str:
    return dict(entry.metadata).get("session", "")
