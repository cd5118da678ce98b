"""A Loki without sockets, on a clock that only a test moves."""

from typing import Any

from tests.fakes.loki.distributor import Distributor, Outcome
from tests.fakes.loki.entry import Entry, Labels, Stream
from tests.fakes.loki.limits import Limits
from tests.fakes.loki.times import NANOS

NOW = 1_760_000_000 * NANOS
HOUR = 3600 * NANOS
KIB = 1024
MIB = 1024 * KIB
APP: Labels = (("app", "a"),)
OTHER: Labels = (("app", "b"),)
UNSHARDED = {"shard_streams": False}


class Loki:
    """A distributor with a clock that only a test moves."""

    def __init__(self, **limits: Any) -> None:
        self.limits = Limits(**limits)
        self.now = NOW
        self.distributor = Distributor("fake")

    def push(self, *entries: Entry, labels: Labels = APP) -> Outcome:
        return self.push_streams(Stream(labels, list(entries)))

    def push_streams(self, *streams: Stream) -> Outcome:
        return self.distributor.push(list(streams), self.limits, self.now)

    @property
    def lines(self) -> list[str]:
        streams = self.distributor.ingester.streams.values()
        return [entry.line for stream in streams for entry in stream.copies]

    @property
    def copies(self) -> int:
        return sum(sum(each.copies.values()) for each in self.distributor.ingester.streams.values())

    @property
    def discarded(self) -> dict[str, int]:
        return dict(self.distributor.counts.discarded)


def entry(line: str, ts: int = NOW, **metadata: str) -> Entry:
    return Entry(ts, line, tuple(metadata.items()))


def sized(size: int, mark: str, ts: int = NOW) -> Entry:
    return entry(mark + "x" * (size - len(mark)), ts)
