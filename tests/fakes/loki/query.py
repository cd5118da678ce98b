"""Queries over one tenant's streams: log queries hide copies, metric queries count them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from tests.fakes.loki.distributor import exhausted
from tests.fakes.loki.entry import Labels, byte_length
from tests.fakes.loki.ingester import Ingester, MemoryStream
from tests.fakes.loki.limits import Limits
from tests.fakes.loki.logql import Condition, LogQuery, Metric, QueryError, RangeAggregation
from tests.fakes.loki.pipeline import Row, holds, row, run
from tests.fakes.loki.times import NANOS

_MOST_POINTS = 11_000


class TooLargeError(Exception):
    """An answer that Loki could not carry from one of its parts to the other: status 500."""


class Window(NamedTuple):
    """A query's time range in nanoseconds; ``start`` is in it, ``end`` is not."""

    start: int
    end: int


Series = dict[Labels, float]


class Reader:
    """Answers queries at one moment."""

    def __init__(self, ingester: Ingester, limits: Limits, now: int) -> None:
        self._ingester = ingester
        self._limits = limits
        self._now = now

    def streams(self, matchers: Iterable[Condition]) -> Iterator[MemoryStream]:
        """Yield the streams that a selector takes; structured metadata counts for nothing here."""
        wanted = tuple(matchers)
        for stream in self._ingester.streams.values():
            named = dict(stream.labels)
            if all(holds(each, named.get(each.name, "")) for each in wanted):
                yield stream

    def logs(self, query: LogQuery, window: Window, limit: int, *, backward: bool) -> list[Row]:
        """Return the first ``limit`` rows in the direction asked. Raises ``TooLargeError``."""
        found = [made for made, _ in self._rows(query, window)]
        found.sort(key=lambda made: made.ts, reverse=backward)
        found = found[: limit or None]
        size = sum(byte_length(made.line) + sum(map(len, made.parsed.values())) for made in found)
        most = self._limits.grpc_server_max_recv_msg_size
        if size > most:
            raise TooLargeError(exhausted(size, most))
        return found

    def _rows(self, query: LogQuery, window: Window) -> Iterator[tuple[Row, int]]:
        for stream in self.streams(query.matchers):
            for entry, copies in self._ingester.visible(stream, self._limits, self._now):
                if window.start <= entry.ts < window.end:
                    made = row(stream.labels, entry)
                    if run(query.stages, made):
                        yield made, copies

    def vector(self, metric: Metric, at: int) -> Series:
        """Return a metric's value by labels at one moment. Raises ``QueryError`` for too many series."""
        made = self._value(metric, at)
        if len(made) > self._limits.max_query_series:
            raise QueryError(
                f"maximum of series ({self._limits.max_query_series}) reached for a single query"
            )
        return made

    def matrix(self, metric: Metric, window: Window, step: int) -> dict[Labels, list[tuple[int, float]]]:
        """Return a metric's values from ``start`` to ``end``, ``end`` included."""
        if (window.end - window.start) // step > _MOST_POINTS:
            raise QueryError("exceeded maximum resolution of 11,000 points per time series")
        made: dict[Labels, list[tuple[int, float]]] = {}
        for at in range(window.start, window.end + 1, step):
            for labels, value in self.vector(metric, at).items():
                made.setdefault(labels, []).append((at, value))
        return made

    def _value(self, metric: Metric, at: int) -> Series:
        if isinstance(metric, RangeAggregation):
            return self._range(metric, at)
        groups: dict[Labels, list[float]] = {}
        for labels, value in self._value(metric.inner, at).items():
            key = _grouped(labels, metric.names or (), without=metric.without)
            groups.setdefault(key, []).append(value)
        return {labels: _VECTOR[metric.operation](values) for labels, values in groups.items()}

    def _range(self, metric: RangeAggregation, at: int) -> Series:
        made: Series = {}
        # A range is open at its beginning and closed at its end.
        for found, copies in self._rows(metric.query, Window(at - metric.range + 1, at + 1)):
            labels = tuple(sorted(found.labels.items()))
            made[labels] = made.get(labels, 0.0) + _SAMPLES[metric.operation](found) * copies
        if metric.operation in ("rate", "bytes_rate"):
            return {labels: value / (metric.range / NANOS) for labels, value in made.items()}
        return made


_SAMPLES: dict[str, Callable[[Row], float]] = {
    "count_over_time": lambda _: 1.0,
    "rate": lambda _: 1.0,
    "bytes_over_time": lambda found: float(byte_length(found.line)),
    "bytes_rate": lambda found: float(byte_length(found.line)),
    "sum_over_time": lambda found: found.sample,
}
_VECTOR: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "count": len,
    "min": min,
    "max": max,
    "avg": lambda values: sum(values) / len(values),
}


def _grouped(labels: Labels, names: tuple[str, ...], *, without: bool) -> Labels:
    return tuple(pair for pair in labels if (pair[0] in names) != without)


def streams_result(rows: Iterable[Row], *, categorised: bool) -> list[dict[str, Any]]:
    """Return ``data.result`` of a log query (pkg/util/marshal/query.go:407-450).

    By default metadata and parsed fields are mixed into ``stream``, so that one stream comes back as many.
    """
    groups: dict[Labels, dict[str, Any]] = {}
    for made in rows:
        named = made.stream if categorised else made.labels
        group = groups.setdefault(tuple(sorted(named.items())), {"stream": named, "values": []})
        value: list[Any] = [str(made.ts), made.line]
        if categorised:
            own = {"structuredMetadata": made.metadata, "parsed": made.parsed}
            value.append({name: labels for name, labels in own.items() if labels})
        group["values"].append(value)
    return list(groups.values())


def number_text(value: float) -> str:
    """Return a sample as Loki writes it."""
    return f"{value:.0f}" if value == int(value) else repr(value)
