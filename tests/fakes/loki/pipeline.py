"""What happens to one entry on its way through a query's stages."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.fakes.loki.entry import Entry, Labels
from tests.fakes.loki.logql import (
    Condition,
    Conditions,
    Drop,
    Json,
    LabelFormat,
    LineFilter,
    LineFormat,
    QueryError,
    Stage,
    Unwrap,
    duration,
)
from tests.fakes.loki.template import render

_EXTRACTED = "_extracted"
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})')


@dataclass
class Row:
    """An entry in a query: where each of its labels comes from still shows."""

    ts: int
    line: str
    stream: dict[str, str]
    metadata: dict[str, str]
    parsed: dict[str, str] = field(default_factory=dict)
    sample: float = 1.0

    @property
    def labels(self) -> dict[str, str]:
        """All of them, flat."""
        return {**self.stream, **self.metadata, **self.parsed}

    def find(self, name: str) -> str:
        """Return a label's value, empty when it is absent."""
        for source in (self.parsed, self.metadata, self.stream):
            if name in source:
                return source[name]
        return ""


def row(stream: Labels, entry: Entry) -> Row:
    """Return an entry at the start; metadata that a label hides gets another name (logql/log/labels.go)."""
    named = dict(stream)
    metadata = {_free(name, named): value for name, value in entry.metadata}
    return Row(entry.ts, entry.line, named, metadata)


def _free(name: str, taken: dict[str, str]) -> str:
    return name + _EXTRACTED if name in taken else name


def run(stages: Iterable[Stage], made: Row) -> bool:
    """Take a row through the stages; False when one of them drops it."""
    return all(_apply(stage, made) for stage in stages)


def _apply(stage: Stage, made: Row) -> bool:
    match stage:
        case LineFilter(operator, value):
            return _line_passes(operator, value, made.line)
        case Conditions(any_of):
            return any(all(holds(each, made.find(each.name)) for each in group) for group in any_of)
        case Json(fields):
            _parse_json(fields, made)
        case LineFormat(template):
            made.line = render(template, made.line, made.ts, made.labels)
        case LabelFormat(name, template):
            made.parsed[name] = render(template, made.line, made.ts, made.labels)
        case Drop(names, keep):
            _drop(names, made, keep=keep)
        case Unwrap(name):
            return _unwrap(name, made)
    return True


def _line_passes(operator: str, value: str, line: str) -> bool:
    found = value in line if operator in ("|=", "!=") else re.search(value, line) is not None
    return found == operator.startswith("|")


def holds(condition: Condition, value: str) -> bool:
    """Tell whether a label's value meets a condition; an absent one is empty."""
    match condition.operator:
        case "=" | "==":
            return value == condition.value
        case "!=":
            return value != condition.value
        case "=~":
            return re.fullmatch(condition.value, value) is not None
        case "!~":
            return re.fullmatch(condition.value, value) is None
    left, right = _number(value), _number(condition.value)
    if left is None or right is None:
        return False
    return {">": left > right, ">=": left >= right, "<": left < right, "<=": left <= right}[
        condition.operator
    ]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return duration(text) / 1e9
    except QueryError:
        return None


def _drop(names: tuple[str, ...], made: Row, *, keep: bool) -> None:
    for source in (made.stream, made.metadata, made.parsed):
        for name in [each for each in source if (each in names) != keep]:
            del source[name]


def _unwrap(name: str, made: Row) -> bool:
    value = _number(made.find(name))
    if value is None:
        return False
    made.sample = value
    for source in (made.stream, made.metadata, made.parsed):
        source.pop(name, None)
    return True


def _parse_json(fields: tuple[tuple[str, str], ...], made: Row) -> None:
    try:
        read = orjson.loads(made.line)
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, dict):
        made.parsed |= {"__error__": "JSONParserErr", "__error_details__": "Value looks like object"}
        return
    taken = {**made.stream, **made.metadata}
    found = _chosen(fields, read) if fields else _flattened("", read)
    for name, value in found:
        # Of two that come out alike, the first in the line wins.
        made.parsed.setdefault(_free(name, taken), value)


def _flattened(prefix: str, read: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in read.items():
        if not key and not prefix:
            continue
        name = re.sub(r"[^A-Za-z0-9_]", "_", f"{prefix}_{key}" if prefix else key)
        if isinstance(value, dict):
            yield from _flattened(name, value)
        elif value is not None and not isinstance(value, list):
            yield f"_{name}" if name[0].isdigit() else name, _text(value)


def _chosen(fields: tuple[tuple[str, str], ...], read: Any) -> Iterator[tuple[str, str]]:
    for name, path in fields:
        value = read
        for key, quoted, index in re.findall(r'([A-Za-z_]\w*)|\["([^"]*)"\]|\[(\d+)\]', path):
            try:
                value = value[int(index)] if index else value[key or quoted]
            except (KeyError, IndexError, TypeError):
                value = ""
        # What is no text comes as it stands in the line, but with its escapes taken out.
        yield name, value if isinstance(value, str) else _ESCAPE.sub(_unescaped, _text(value))


def _unescaped(found: re.Match[str]) -> str:
    return str(orjson.loads(f'"{found[0]}"'))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
