"""Compares the entries that a file stands for with the rows that Loki returns for them. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple

from shipper.entry import Entry, Pairs
from shipper.loki.query.query import Row

Kind = Literal["missing", "cut", "doubled", "foreign", "rejected", "waiting"]
_HASH_BYTES = 8
_HASH_MODULUS = 1 << (8 * _HASH_BYTES)
_HOUR_NS = 3600 * 10**9
# Labels of a row by which a foreign one is told apart; the others come from Loki or the configuration.
_STREAM_LABELS = ("environment", "log_type", "machine", "provider")
# A cut line keeps its beginning; so much of it is compared.
_CUT_PREFIX = 64

Place = tuple[str, int]


class Expected(NamedTuple):
    """An entry of a file and the number of its line, from 1."""

    number: int
    entry: Entry


@dataclass(slots=True)
class Tally:
    """Entries of one stream and window: how many, the bytes of their lines, and a digest over them.

    The digest is the sum of the lines' BLAKE2b digests of 64 bits with their times: it does not depend on
    the order.
    """

    lines: int = 0
    size: int = 0
    digest: int = 0

    def add(self, timestamp: int, line: bytes) -> None:
        """Count one entry."""
        digest = blake2b(line, digest_size=_HASH_BYTES, salt=timestamp.to_bytes(8, "big")).digest()
        self.lines += 1
        self.size += len(line)
        self.digest = (self.digest + int.from_bytes(digest, "big")) % _HASH_MODULUS


@dataclass(slots=True)
class Account:
    """What the files hold and what Loki has of one stream in one hour; ``window`` is its first nanosecond."""

    stream: Pairs
    window: int
    files: Tally = field(default_factory=Tally)
    loki: Tally = field(default_factory=Tally)


class Accounts:
    """The accounts by stream and window."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[Pairs, int], Account] = {}

    def of(self, stream: Pairs, timestamp: int) -> Account:
        """Return the account that an entry belongs to."""
        key = stream, timestamp - timestamp % _HOUR_NS
        return self._accounts.setdefault(key, Account(*key))

    def all(self) -> list[Account]:
        """Return all accounts, by window and stream."""
        return [self._accounts[key] for key in sorted(self._accounts, key=lambda key: (key[1], key[0]))]


@dataclass(frozen=True, slots=True)
class Finding:
    """Where files and Loki differ: lines ``first`` to ``last`` of a file, which lie in ``[start, end)``.

    ``entries`` tells how many entries of Loki's they stand for, ``time`` is the first one's in nanoseconds. A
    foreign entry has the line 0 and its stored ``start``.
    """

    kind: Kind
    file: str
    first: int
    last: int
    start: int
    end: int
    entries: int
    time: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The result for one group of entries: ``strangers`` are rows that no entry of the group stands for."""

    missing: tuple[Expected, ...]
    cut: tuple[Expected, ...]
    doubled: tuple[Expected, ...]
    strangers: tuple[Row, ...]


def place_of(row: Row) -> Place | None:
    """Return the offset and the part of a row; ``None`` without structured metadata."""
    offset = row.fields.get("offset", "")
    return (offset, int(row.fields.get("part", "0"))) if offset else None


def compare(expected: Sequence[Expected], rows: Iterable[Row], accounts: Accounts) -> Compared:
    """Compare entries of one file with the rows of its session, and count both sides."""
    by_place: dict[Place, list[Row]] = defaultdict(list)
    by_line: dict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows:
        place = place_of(row)
        if place is None:
            by_line[row.timestamp, row.line].append(row)
        else:
            by_place[place].append(row)
    missing: list[Expected] = []
    cut: list[Expected] = []
    doubled: list[Expected] = []
    strangers: list[Row] = []
    for each in expected:
        entry, line = each.entry, each.entry.line
        account = accounts.of(entry.stream, entry.timestamp)
        account.files.add(entry.timestamp, line)
        text = line.decode("utf-8", "replace")
        found = by_place.pop((str(entry.span.start), entry.part), [])
        found += by_line.pop((entry.timestamp, text), [])
        equal = [row for row in found if (row.timestamp, row.line) == (entry.timestamp, text)]
        short = [row for row in found if _is_cut(row, entry.timestamp, text)]
        for row in equal[:1] or short[:1]:
            account.loki.add(row.timestamp, row.line.encode())
        if not equal:
            (cut if short else missing).append(each)
        if len(equal) > 1:
            doubled.append(each)
        strangers += [row for row in found if row not in equal and row not in short]
    strangers += [row for found in by_place.values() for row in found]
    return Compared(tuple(missing), tuple(cut), tuple(doubled), tuple(strangers))


def stream_of_row(row: Row) -> Pairs:
    """Return the labels that a foreign row is counted under."""
    return tuple((name, row.fields[name]) for name in _STREAM_LABELS if name in row.fields)


def joined(findings: Iterable[Finding]) -> list[Finding]:
    """Join findings of one kind in lines that follow each other."""
    made: list[Finding] = []
    for each in findings:
        last = made[-1] if made else None
        follows = last is not None and (each.kind, each.file) == (last.kind, last.file)
        if last is not None and follows and each.first and last.last <= each.first <= last.last + 1:
            made[-1] = Finding(
                each.kind,
                each.file,
                last.first,
                each.last,
                last.start,
                each.end,
                last.entries + each.entries,
                last.time,
            )
        else:
            made.append(each)
    return made


def totals(findings: Iterable[Finding]) -> dict[str, int]:
    """Return how many entries each kind of finding stands for."""
    made = dict.fromkeys(("missing", "cut", "doubled", "foreign", "rejected", "waiting"), 0)
    for each in findings:
        made[each.kind] += each.entries
    return made


def finding(kind: Kind, file: str, each: Expected) -> Finding:
    """Return what is to say of one entry."""
    span = each.entry.span
    return Finding(kind, file, each.number, each.number, span.start, span.end, 1, each.entry.timestamp)


def _is_cut(row: Row, timestamp: int, text: str) -> bool:
    same = row.timestamp == timestamp and row.line[:_CUT_PREFIX] == text[:_CUT_PREFIX]
    return same and len(row.line) < len(text)
