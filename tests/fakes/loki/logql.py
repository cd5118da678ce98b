"""LogQL text -> query values: the part of the language that the product and its papers use."""

import re
from dataclasses import dataclass

from tests.fakes.loki.times import NANOS

_UNITS = {"ns": 1, "us": 1000, "µs": 1000, "ms": 10**6, "s": NANOS, "m": 60 * NANOS, "h": 3600 * NANOS}
_UNITS |= {"d": 24 * _UNITS["h"], "w": 168 * _UNITS["h"], "y": 8760 * _UNITS["h"]}
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)
      | (?P<duration>(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w|y))+)(?![A-Za-z0-9_])
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>\|=|\|~|!=|!~|=~|==|>=|<=|[{}()\[\],|=><])
    )""",
    re.VERBOSE,
)
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w|y)")
_RANGE_OPERATIONS = ("count_over_time", "rate", "bytes_over_time", "bytes_rate", "sum_over_time")
_VECTOR_OPERATIONS = ("sum", "count", "min", "max", "avg")
_LINE_FILTERS = ("|=", "!=", "|~", "!~")
_COMPARISONS = ("=", "==", "!=", "=~", "!~", ">", ">=", "<", "<=")


class QueryError(ValueError):
    """The query cannot be read; the text is meant for the asker."""


@dataclass(frozen=True)
class Condition:
    """``name op value``; a number or a duration is a text here, and compared as what it is."""

    name: str
    operator: str
    value: str


@dataclass(frozen=True)
class LineFilter:
    """``|= "text"``."""

    operator: str
    value: str


@dataclass(frozen=True)
class Conditions:
    """Groups of which one must hold, each of conditions that must all hold."""

    any_of: tuple[tuple[Condition, ...], ...]


@dataclass(frozen=True)
class Json:
    """``| json``, or ``| json name="path"``; ``fields`` is empty for all."""

    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LineFormat:
    """``| line_format "template"``."""

    template: str


@dataclass(frozen=True)
class LabelFormat:
    """``| label_format name="template"``."""

    name: str
    template: str


@dataclass(frozen=True)
class Drop:
    """``| drop a, b``, or ``| keep a, b``."""

    names: tuple[str, ...]
    keep: bool


@dataclass(frozen=True)
class Unwrap:
    """``| unwrap name``: a label becomes the sample's value."""

    name: str


Stage = LineFilter | Conditions | Json | LineFormat | LabelFormat | Drop | Unwrap


@dataclass(frozen=True)
class LogQuery:
    """``{selector} | stages``."""

    matchers: tuple[Condition, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class RangeAggregation:
    """``operation(log query [range])``; ``range`` is in nanoseconds."""

    operation: str
    query: LogQuery
    range: int


@dataclass(frozen=True)
class VectorAggregation:
    """``operation by (names) (metric query)``; ``names`` is None where nothing is said."""

    operation: str
    names: tuple[str, ...] | None
    without: bool
    inner: "RangeAggregation | VectorAggregation"


Metric = RangeAggregation | VectorAggregation
Query = LogQuery | Metric


def parse(text: str) -> Query:
    """Read a query. Raises ``QueryError``."""
    reader = _Reader(text)
    query = reader.query()
    reader.end()
    return query


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._at = 0
        position = 0
        text = text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise QueryError(
                    f"parse error at line 1, col {position + 1}: syntax error: {text[position:][:20]}"
                )
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            position = found.end()

    def query(self) -> Query:
        return self._log_query() if self._peek() == "{" else self._metric()

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise self._unexpected()

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _kind(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _next(self, *wanted: str) -> str:
        """Take a token that is, or is of the kind of, one of ``wanted``."""
        if self._kind() not in wanted and self._peek() not in wanted:
            raise self._unexpected()
        self._at += 1
        return self._tokens[self._at - 1][1]

    def _took(self, wanted: str) -> bool:
        if self._peek() != wanted or self._kind() == "string":
            return False
        self._at += 1
        return True

    def _unexpected(self) -> QueryError:
        return QueryError(
            f"parse error at line 1, col {self._at}: syntax error: unexpected {self._peek() or '$end'}"
        )

    def _string(self) -> str:
        literal = self._next("string")
        if literal[0] == "`":
            return literal[1:-1]
        return re.sub(r"\\(x[0-9a-f]{2}|.)", lambda found: _unescaped(found[1]), literal[1:-1])

    def _names(self) -> tuple[str, ...]:
        names = [self._next("name")]
        while self._took(","):
            names.append(self._next("name"))
        return tuple(names)

    def _log_query(self) -> LogQuery:
        self._next("{")
        matchers = []
        while not self._took("}"):
            name, operator = self._next("name"), self._next("=", "!=", "=~", "!~")
            matchers.append(Condition(name, operator, self._string()))
            if self._peek() != "}":
                self._next(",")
        if not any(_needs_a_value(each) for each in matchers):
            raise QueryError(
                "parse error : queries require at least one regexp or equality matcher that does not have an "
                'empty-compatible value. For instance, app=~".*" does not meet this requirement, but '
                'app=~".+" will'
            )
        stages = []
        while self._peek() in (*_LINE_FILTERS, "|"):
            stages.append(self._stage())
        return LogQuery(tuple(matchers), tuple(stages))

    def _stage(self) -> Stage:  # noqa: PLR0911 - one return a stage
        if self._peek() in _LINE_FILTERS:
            return LineFilter(self._next(*_LINE_FILTERS), self._string())
        self._next("|")
        match self._peek():
            case "json":
                self._next("json")
                return Json(tuple(self._assignments()))
            case "line_format":
                self._next("line_format")
                return LineFormat(self._string())
            case "label_format":
                self._next("label_format")
                name = self._next("name")
                self._next("=")
                return LabelFormat(name, self._string())
            case "drop" | "keep" as word:
                self._next(word)
                return Drop(self._names(), keep=word == "keep")
            case "unwrap":
                self._next("unwrap")
                return Unwrap(self._next("name"))
        return self._conditions()

    def _assignments(self) -> list[tuple[str, str]]:
        made: list[tuple[str, str]] = []
        while self._kind() == "name":
            name = self._next("name")
            made.append((name, self._string() if self._took("=") else name))
            if not self._took(","):
                break
        return made

    def _conditions(self) -> Conditions:
        groups = [[self._condition()]]
        while self._peek() in ("and", "or", ","):
            if self._next("and", "or", ",") == "or":
                groups.append([])
            groups[-1].append(self._condition())
        return Conditions(tuple(tuple(group) for group in groups))

    def _condition(self) -> Condition:
        name, operator = self._next("name"), self._next(*_COMPARISONS)
        if self._kind() == "string":
            return Condition(name, operator, self._string())
        return Condition(name, operator, self._next("number", "duration"))

    def _metric(self) -> Metric:
        operation = self._next(*_RANGE_OPERATIONS, *_VECTOR_OPERATIONS)
        if operation in _RANGE_OPERATIONS:
            return self._range(operation)
        names, without = self._grouping()
        self._next("(")
        inner = self._metric()
        self._next(")")
        if names is None:
            names, without = self._grouping()
        return VectorAggregation(operation, names, without, inner)

    def _grouping(self) -> tuple[tuple[str, ...] | None, bool]:
        if self._peek() not in ("by", "without"):
            return None, False
        without = self._next("by", "without") == "without"
        self._next("(")
        names = () if self._peek() == ")" else self._names()
        self._next(")")
        return names, without

    def _range(self, operation: str) -> RangeAggregation:
        self._next("(")
        query = self._log_query()
        self._next("[")
        width = duration(self._next("duration"))
        self._next("]")
        # The range may also stand before the stages: {..}[5m] | ...
        stages = list(query.stages)
        while self._peek() in (*_LINE_FILTERS, "|"):
            stages.append(self._stage())
        self._next(")")
        return RangeAggregation(operation, LogQuery(query.matchers, tuple(stages)), width)


def _unescaped(escape: str) -> str:
    return chr(int(escape[1:], 16)) if escape[1:] else {"n": "\n", "t": "\t"}.get(escape, escape)


def _needs_a_value(matcher: Condition) -> bool:
    if matcher.operator == "=":
        return matcher.value != ""
    return matcher.operator == "=~" and not re.fullmatch(matcher.value, "")


def duration(text: str) -> int:
    """Return nanoseconds of ``1h30m``. Raises ``QueryError``."""
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise QueryError(f'cannot parse "{text}" to a valid duration')
    return sum(int(float(number) * _UNITS[unit]) for number, unit in parts)
