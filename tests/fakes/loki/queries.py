"""The query paths: parameters in, JSON out (pkg/loghttp/params.go, query.go)."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from tests.fakes.loki.distributor import Distributor
from tests.fakes.loki.limits import Limits
from tests.fakes.loki.logql import LogQuery, Metric, QueryError, duration, parse
from tests.fakes.loki.query import Reader, TooLargeError, Window, number_text, streams_result
from tests.fakes.loki.times import NANOS, parse_time
from tests.fakes.reply import json_answer, text_answer
from tests.fakes.wire import Request

_CATEGORIZE = "categorize-labels"
_DEFAULT_LIMIT = 100
_MOST_STEPS = 250
_PATH = re.compile(r"/loki/api/v1/(query_range|query|labels|label/([^/]+)/values|series)")
_EMPTY = Distributor("nobody")


class Asked(NamedTuple):
    """One query request; ``now`` is in nanoseconds."""

    request: Request
    parameters: Mapping[str, list[str]]
    now: int
    limits: Limits
    reader: Reader

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter."""
        return self.parameters.get(name, [default])[0]

    def time(self, name: str, default: int) -> int:
        """Return a time in nanoseconds. Raises ``ValueError``."""
        given = self.text(name)
        return parse_time(given) if given else default


def answer(request: Request, distributor: Distributor | None, limits: Limits, now: int) -> bytes | None:
    """Answer a query path; None for any other."""
    found = _PATH.fullmatch(request.path)
    if found is None:
        return None
    source = request.body.decode() if request.method == b"POST" else request.query
    reader = Reader((distributor or _EMPTY).ingester, limits, now)
    asked = Asked(request, parse_qs(source, keep_blank_values=True), now, limits, reader)
    try:
        return json_answer(_ANSWERS[found[1].partition("/")[0]](asked, found[2]))
    except ValueError as exc:
        return text_answer(str(exc), 400)
    except TooLargeError as exc:
        return text_answer(str(exc), 500)


def _window(asked: Asked) -> Window:
    end = asked.time("end", asked.now)
    start = asked.time("start", end - duration(asked.text("since", "1h")))
    if end < start:
        raise QueryError("end timestamp must not be before or equal to start time")
    longest = asked.limits.max_query_length
    if end - start > longest * NANOS:
        raise QueryError(
            f"the query time range exceeds the limit (query length: {(end - start) // NANOS}s, "
            f"limit: {int(longest)}s)"
        )
    return Window(start, end)


def _query_range(asked: Asked, _: str) -> dict[str, Any]:
    query, window = parse(asked.text("query")), _window(asked)
    if isinstance(query, LogQuery):
        return _logs(asked, query, window)
    step = _step(asked.text("step")) or max(NANOS, (window.end - window.start) // _MOST_STEPS)
    found = asked.reader.matrix(query, window, step)
    series = [
        {"metric": dict(labels), "values": [[at / NANOS, number_text(value)] for at, value in points]}
        for labels, points in sorted(found.items())
    ]
    return _success("matrix", series)


def _step(text: str) -> int:
    return int(float(text) * NANOS) if re.fullmatch(r"\d+(\.\d+)?", text) else duration(text) if text else 0


def _logs(asked: Asked, query: LogQuery, window: Window) -> dict[str, Any]:
    limit = int(asked.text("limit", str(_DEFAULT_LIMIT)))
    most = asked.limits.max_entries_limit_per_query
    if limit > most:
        raise QueryError(
            f"max entries limit per query exceeded, limit > max_entries_limit_per_query ({limit} > {most})"
        )
    flags = asked.request.header(b"x-loki-response-encoding-flags") or ""
    categorised = _CATEGORIZE in flags
    backward = asked.text("direction", "backward").lower() != "forward"
    rows = asked.reader.logs(query, window, limit, backward=backward)
    extra = {"encodingFlags": [_CATEGORIZE]} if categorised else {}
    return _success("streams", streams_result(rows, categorised=categorised), **extra)


def _query(asked: Asked, _: str) -> dict[str, Any]:
    query = parse(asked.text("query"))
    if isinstance(query, LogQuery):
        raise QueryError(
            "log queries are not supported as an instant query type, please change your query to a range "
            "query type"
        )
    return _vector(asked, query)


def _vector(asked: Asked, metric: Metric) -> dict[str, Any]:
    at = asked.time("time", asked.now)
    found = asked.reader.vector(metric, at)
    return _success(
        "vector",
        [
            {"metric": dict(labels), "value": [at / NANOS, number_text(value)]}
            for labels, value in sorted(found.items())
        ],
    )


def _success(kind: str, result: list[Any], **extra: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": kind, "result": result, "stats": {}, **extra}}


def _selected(asked: Asked) -> list[dict[str, str]]:
    texts = asked.parameters.get("match[]") or asked.parameters.get("query") or [""]
    found: dict[Any, dict[str, str]] = {}
    for text in texts:
        query = parse(text) if text and text != "{}" else LogQuery((), ())
        if not isinstance(query, LogQuery):
            raise QueryError("only label matchers are supported")
        found |= {stream.labels: dict(stream.labels) for stream in asked.reader.streams(query.matchers)}
    return list(found.values())


def _labels(asked: Asked, _: str) -> dict[str, Any]:
    names = sorted({name for labels in _selected(asked) for name in labels})
    return {"status": "success", "data": names} if names else {"status": "success"}


def _values(asked: Asked, name: str) -> dict[str, Any]:
    values = sorted({labels[name] for labels in _selected(asked) if name in labels})
    return {"status": "success", "data": values} if values else {"status": "success"}


def _series(asked: Asked, _: str) -> dict[str, Any]:
    return {"status": "success", "data": _selected(asked)}


_ANSWERS: dict[str, Callable[[Asked, str], dict[str, Any]]] = {
    "query_range": _query_range,
    "query": _query,
    "labels": _labels,
    "label": _values,
    "series": _series,
}
