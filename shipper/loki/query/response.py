"""The answer to a log query (``pkg/util/marshal/query.go``)."""

import msgspec

from shipper.loki.query.query import Row, Sample


class _Categories(msgspec.Struct):
    metadata: dict[str, str] = msgspec.field(name="structuredMetadata", default_factory=dict)


class _Value(msgspec.Struct, array_like=True):
    timestamp: str
    line: str
    categories: _Categories = msgspec.field(default_factory=_Categories)


class _Stream(msgspec.Struct):
    labels: dict[str, str] = msgspec.field(name="stream")
    values: list[_Value]


class _Data(msgspec.Struct):
    result: list[_Stream]


class _Answer(msgspec.Struct):
    data: _Data


_DECODER = msgspec.json.Decoder(_Answer)


def rows_of(body: bytes) -> list[Row]:
    """Return the rows of an answer, oldest first; the same whether or not Loki tells metadata from labels.

    Raises ``ValueError`` for what is no answer to a log query.
    """
    rows = [
        Row(int(value.timestamp), value.line, {**stream.labels, **value.categories.metadata})
        for stream in _DECODER.decode(body).data.result
        for value in stream.values
    ]
    return sorted(rows, key=lambda row: row.timestamp)


class _Series(msgspec.Struct):
    labels: dict[str, str] = msgspec.field(name="metric", default_factory=dict)
    value: tuple[float, str] | None = None
    values: tuple[tuple[float, str], ...] = ()


class _Measured(msgspec.Struct):
    result: list[_Series]


class _MeasuredAnswer(msgspec.Struct):
    data: _Measured


_MEASURED_DECODER = msgspec.json.Decoder(_MeasuredAnswer)


def samples_of(body: bytes) -> list[Sample]:
    """Return the samples of an answer to a metric query, instant or over a range.

    Raises ``ValueError`` for any other answer.
    """
    return [
        Sample(series.labels, round(at * 1000) * 1_000_000, float(value))
        for series in _MEASURED_DECODER.decode(body).data.result
        for at, value in ((series.value,) if series.value else series.values)
    ]
