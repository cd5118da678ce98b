"""Dashboards and alerts: every name in a query is one that the product emits."""

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.files import LOCAL, read_yaml
from tests.deploy.queries import (
    DASHBOARDS,
    Query,
    UnknownNameError,
    alert_queries,
    alerts,
    check,
    dashboard,
    dashboard_queries,
    emitted,
    variables,
)

QUERIES = [*dashboard_queries(), *alert_queries()]
KNOWN = emitted()
BOARDS = [pytest.param(dashboard(path), id=path.stem) for path in DASHBOARDS]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.place)
def test_a_query_uses_only_what_is_emitted(query: Query) -> None:
    check(query, KNOWN)


@pytest.mark.parametrize(
    ("language", "text", "shown"),
    [
        ("loki", '{app="llm-proxy", model="m"}', ""),
        ("loki", '{app="llm-proxy"} | tokens > 5', ""),
        ("loki", 'sum by (user) (count_over_time({app="llm-proxy"} [5m]))', ""),
        ("loki", 'sum(sum_over_time({app="llm-proxy"} | unwrap model [5m]))', ""),
        ("loki", 'sum(sum_over_time({app="llm-proxy", log_type="request"} | unwrap total_ms [5m]))', ""),
        ("loki", '{app="llm-proxy", log_type="response"} | stream="true"', ""),
        ("loki", '{app="llm-proxy"} | json', ""),
        ("loki", '{app="llm-proxy"} | json pieces="body_delta.parts"', ""),
        ("loki", '{app="llm-proxy"} | line_format "{{.body}}"', ""),
        ("loki", '{app="llm-proxy"} ; drop', ""),
        ("loki", '{app="llm-proxy"}', "user"),
        ("prometheus", "llm_loki_ship_lag", ""),
        ("prometheus", "rate(llm_loki_ship_retries[5m])", ""),
        ("prometheus", "sum by (reason) (llm_loki_ship_lag_bytes)", ""),
        ("prometheus", 'llm_loki_ship_pushes_total{status="204"}', ""),
        ("prometheus", "up == 0", ""),
        ("prometheus", "llm_loki_ship_lag_bytes", "host"),
    ],
)
def test_a_name_that_nothing_emits_is_found(language: str, text: str, shown: str) -> None:
    with pytest.raises(UnknownNameError):
        check(Query(language, "here", text, frozenset({shown} - {""})), KNOWN)


@pytest.mark.parametrize("board", BOARDS)
def test_a_dashboard_is_one_that_grafana_takes(board: dict[str, Any]) -> None:
    panels = board["panels"]
    sources = {each["uid"]: each["type"] for each in _data_sources()}

    assert len({each["id"] for each in panels}) == len(panels)
    # Grafana 13's; it migrates older ones itself.
    assert board["schemaVersion"] == 42
    for panel in panels:
        used = [panel, *panel.get("targets", [])] if panel["type"] != "row" else []
        assert {
            each["datasource"]["uid"]: each["datasource"]["type"] for each in used
        }.items() <= sources.items()
        assert len({each["refId"] for each in panel.get("targets", [])}) == len(panel.get("targets", []))


def _data_sources() -> list[dict[str, Any]]:
    return list(read_yaml(LOCAL / "grafana" / "datasources.yaml")["datasources"])


@pytest.mark.parametrize("board", BOARDS)
def test_no_two_panels_share_a_place(board: dict[str, Any]) -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in board["panels"])
        for x, y in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        )
    ]

    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("board", BOARDS)
def test_every_variable_in_use_is_declared(board: dict[str, Any]) -> None:
    declared = {each["name"] for each in board["templating"]["list"]}
    texts = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    links = re.findall(r'"url": ?"/d/([^?"]*)\?([^"]*)"', Path(_path_of(board)).read_text(encoding="utf-8"))

    assert declared == set().union(*map(variables, texts))
    assert {uid for uid, _ in links} <= {dashboard(path)["uid"] for path in DASHBOARDS}
    for _, query in links:
        assert variables(query) | set(re.findall(r"var-(\w+)=", query)) <= declared


def _path_of(board: dict[str, Any]) -> Path:
    return next(path for path in DASHBOARDS if path.stem == board["uid"])


def test_variables_list_labels_that_are_there() -> None:
    listed = [
        each["query"]["label"]
        for path in DASHBOARDS
        for each in dashboard(path)["templating"]["list"]
        if each["type"] == "query" and each["datasource"]["type"] == "loki"
    ]

    assert listed
    assert set(listed) <= KNOWN.labels


def test_variables_list_metrics_that_are_there() -> None:
    texts = [
        each["query"]["query"]
        for path in DASHBOARDS
        for each in dashboard(path)["templating"]["list"]
        if each["type"] == "query" and each["datasource"]["type"] == "prometheus"
    ]
    asked = [re.fullmatch(r"label_values\((\w+), instance\)", each) for each in texts]

    assert asked
    assert {each[1] for each in asked if each} <= KNOWN.metrics.keys()
    assert all(asked)


def test_every_metric_is_shown_but_for_those_that_say_little_beside_others() -> None:
    shown = {name for query in QUERIES for name in re.findall(r"\bllm_\w+", query.text)}
    spared = {
        "llm_loki_ship_lines_read_total",
        "llm_loki_ship_parts_sent_total",
        "llm_loki_ship_retried_bytes_total",
        "llm_loki_ship_dropped_bytes_total",
        "llm_proxy_uptime_seconds",
    }
    histograms = {name.removesuffix("_bucket") for name in KNOWN.metrics if name.endswith("_bucket")}
    parts = {f"{name}_{part}" for name in histograms for part in ("count", "sum")}

    assert KNOWN.metrics.keys() - shown - parts == spared


def test_what_the_team_asked_to_see_is_there() -> None:
    texts = " ".join(query.text for query in QUERIES)

    for name in (
        "input_tokens",
        "output_tokens",
        "cache_read_input_tokens",
        "ttfb_ms",
        "total_ms",
        "tool_count",
    ):
        assert f"unwrap {name} " in texts
    for name in ("stop_reason", "session", "request_id", "status", "level"):
        assert re.search(rf"\b{name}\b", texts)


@pytest.mark.parametrize(("language", "rule"), list(alerts()), ids=[rule["alert"] for _, rule in alerts()])
def test_an_alert_says_what_is_wrong_and_what_to_do(language: str, rule: dict[str, Any]) -> None:
    panels = [panel["title"] for path in DASHBOARDS for panel in dashboard(path)["panels"]]
    named = re.findall(r'"([A-Z][^"]+)"', rule["annotations"]["runbook"])

    assert language in {"loki", "prometheus"}
    assert all(any(title.startswith(name) for title in panels) for name in named)
    assert rule["annotations"].keys() == {"summary", "runbook"}
    assert len(rule["annotations"]["runbook"]) > 40
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
