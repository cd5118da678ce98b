"""Queries of dashboards and alerts, taken apart: which names they use, and whether the product emits them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shipper.record.envelope import read_envelope
from shipper.record.labels import labels_of, metadata_of
from tests.deploy.files import ROOT, read_yaml
from tests.scraped import families

DASHBOARDS = sorted((ROOT / "deploy" / "dashboards").glob("*.json"))
ALERTS = {
    "loki": ROOT / "deploy" / "alerts" / "loki.yaml",
    "prometheus": ROOT / "deploy" / "alerts" / "prometheus.yaml",
}
_CONTRACT = ROOT / "tests" / "contract"

# The words of the two languages that the queries may use; any other word is a name of ours, or wrong.
_AGGREGATIONS = {"sum", "max", "min", "avg", "count", "topk", "by", "without", "quantile_over_time"}
_LOGQL = _AGGREGATIONS | {
    "count_over_time",
    "sum_over_time",
    "max_over_time",
    "unwrap",
    "line_format",
    "and",
    "or",
}
_PROMQL = _AGGREGATIONS | {"rate", "increase", "absent", "histogram_quantile", "and", "or"}
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<range>\[(?:\$__auto|\$__range|\$__rate_interval|\d+[smhd])\])
      | (?P<number>\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<open>\{) | (?P<close>\})
      | (?P<sign>=~|!~|!=|==|>=|<=|\|=|[=|(),/*+><-])""",
    re.VERBOSE,
)
# Fields of a line by their paths, without which what a call adds could not be shown.
_EXTRACTED = re.compile(r'\| json ((?:\w+="[^"]+"(?:, )?)+)')
_TEMPLATE = re.compile(r"\{\{\s*\.?(\w+)\s*\}\}")
_VARIABLE = re.compile(r"\$\{?(\w+)")
_PREFIXES = ("llm_proxy_", "llm_loki_ship_")
# Labels that Prometheus adds to all that it scrapes.
_SCRAPED = frozenset({"instance", "job"})


class UnknownNameError(ValueError):
    """A query that cannot be read, or a name in it that nothing emits."""


@dataclass(frozen=True)
class Query:
    """A query, where it stands, and what its legend or text names in double braces."""

    language: str
    place: str
    text: str
    shown: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Emitted:
    """What the product emits: metadata by type of record, and the names of those that are numbers."""

    labels: frozenset[str]
    metadata: dict[str, frozenset[str]]
    numbers: frozenset[str]
    metrics: dict[str, frozenset[str]]
    paths: frozenset[str]
    """Of the members of lines, and of those inside them, as ``body_delta.pieces``."""


@dataclass
class _Parts:
    matched: set[str] = field(default_factory=set)
    unwrapped: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    values: dict[str, set[str]] = field(default_factory=dict)


def emitted() -> Emitted:
    """Return what the code makes of the golden lines, and what its metrics are."""
    labels: set[str] = set()
    metadata: dict[str, set[str]] = {}
    numbers: set[str] = set()
    paths: set[str] = set()
    for path in sorted(_CONTRACT.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            paths.update(_paths(json.loads(line)))
            envelope = read_envelope(line)
            labels.update(name for name, _ in labels_of(envelope, "anthropic", "test", {}))
            found = dict(metadata_of(envelope, "session", 0))
            metadata.setdefault(envelope.log_type, set()).update(found)
            numbers.update(name for name, value in found.items() if value.replace(".", "", 1).isdecimal())
    named = {name: frozenset(found) for name, found in metadata.items()}
    return Emitted(frozenset(labels), named, frozenset(numbers), _metrics(), frozenset(paths))


def _paths(record: dict[str, Any]) -> Iterator[str]:
    for name, value in record.items():
        yield name
        yield from (f"{name}.{inner}" for inner in value) if isinstance(value, dict) else ()


def _metrics() -> dict[str, frozenset[str]]:
    return {sample.name: frozenset(sample.labels) for each in families() for sample in each.samples}


def dashboard(path: Path) -> dict[str, Any]:
    """Return a dashboard."""
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def dashboard_queries() -> Iterator[Query]:
    """Yield every query of every panel."""
    for path in DASHBOARDS:
        for panel in dashboard(path)["panels"]:
            for target in panel.get("targets", []):
                shown = frozenset(_TEMPLATE.findall(target["legendFormat"]))
                kind = target["datasource"]["type"]
                yield Query(kind, f"{path.stem}: {panel['title']}: {target['refId']}", target["expr"], shown)


def alerts() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every alert rule with the language of its expression."""
    for language, path in ALERTS.items():
        for group in read_yaml(path)["groups"]:
            yield from ((language, rule) for rule in group["rules"])


def alert_queries() -> Iterator[Query]:
    """Yield every alert's query; what its texts show are its labels."""
    for language, rule in alerts():
        shown = frozenset(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        yield Query(language, f"alert {rule['alert']}", rule["expr"], shown)


def variables(text: str) -> set[str]:
    """Return the dashboard's variables that a text uses; Grafana's own begin with two underscores."""
    return {name for name in _VARIABLE.findall(text) if not name.startswith("__")}


def check(query: Query, known: Emitted) -> None:
    """Raise ``UnknownNameError`` for a name that nothing emits, or for a text that is no query."""
    if query.language == "loki":
        _check_logql(query, known)
    else:
        _check_promql(query, known)


def _check_logql(query: Query, known: Emitted) -> None:
    paths = {path for each in _EXTRACTED.findall(query.text) for path in re.findall('"([^"]+)"', each)}
    _require(paths, known.paths, "path in a line", query)
    parts = _take_apart(replace(query, text=_EXTRACTED.sub("", query.text)), _LOGQL)
    _require(parts.matched, known.labels, "label", query)
    types = parts.values.get("log_type") or set(known.metadata)
    fields = frozenset().union(*(known.metadata.get(each, frozenset()) for each in types))
    _require(parts.unwrapped, fields & known.numbers, "number to unwrap", query)
    _require(parts.named | query.shown, fields | known.labels, "field", query)


def _check_promql(query: Query, known: Emitted) -> None:
    parts = _take_apart(query, _PROMQL)
    metrics = {name for name in parts.named if name.startswith(_PREFIXES)}
    _require(metrics, frozenset(known.metrics), "metric", query)
    labels = frozenset().union(*(known.metrics[each] for each in metrics)) | _SCRAPED
    if not metrics:
        raise UnknownNameError(f"{query.place}: no metric of ours")
    _require(parts.matched | (parts.named - metrics) | query.shown, labels, "label", query)


def _require(used: set[str] | frozenset[str], known: frozenset[str], kind: str, query: Query) -> None:
    if used - known:
        raise UnknownNameError(f"{query.place}: no {kind} {', '.join(sorted(used - known))}")


def _take_apart(query: Query, words: set[str]) -> _Parts:
    """Sort the names of a query by where they stand."""
    parts, position, within, before = _Parts(), 0, False, ["", ""]
    while position < len(query.text):
        found = _TOKEN.match(query.text, position)
        if found is None:
            raise UnknownNameError(f"{query.place}: cannot be read from {query.text[position:][:30]!r}")
        position = found.end()
        kind, token = found.lastgroup, found[0]
        if kind == "space":
            continue
        if kind == "name" and (within or token not in words):
            aim = parts.matched if within else parts.unwrapped if before[1] == "unwrap" else parts.named
            aim.add(token)
        elif kind == "string":
            parts.named.update(_TEMPLATE.findall(token) if before[1] == "line_format" else ())
            if within and before[1] == "=":
                parts.values.setdefault(before[0], set()).add(token.strip('"'))
        within = kind == "open" or (within and kind != "close")
        before = [before[1], token]
    return parts
