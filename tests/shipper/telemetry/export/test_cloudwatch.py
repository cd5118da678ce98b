"""The line for CloudWatch: its form is that of the specification of the embedded metric format."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from groundwork.eventlog import LogFormat, start_log
from shipper.entry import DropReason
from shipper.telemetry.export.cloudwatch import DIMENSION, NAMESPACE, UNITS, MetricLine
from shipper.telemetry.health import Snapshot
from shipper.telemetry.metrics import Metrics

WALL = 1_795_000_000.0


@pytest.fixture(autouse=True)
def _restored_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def snapshot(**more: Any) -> Snapshot:
    fields = {"enabled": True, "unusable": "", "exhausted": False, "waiting_since": None, "ticked_at": 0.0}
    return Snapshot(**{**fields, "metrics": Metrics(), **more})


def test_it_names_every_metric_with_its_unit_and_holds_its_value() -> None:
    state = snapshot(lag_bytes=7, folder_bytes=9, oldest_time=int((WALL - 30) * 1e9))

    fields = MetricLine("production").fields(state, 1.0, WALL)

    told = fields["_aws"]
    assert told["Timestamp"] == WALL * 1000
    (directive,) = told["CloudWatchMetrics"]
    assert directive["Namespace"] == NAMESPACE
    assert directive["Dimensions"] == [[DIMENSION]]
    assert {each["Name"]: each["Unit"] for each in directive["Metrics"]} == UNITS
    assert {name: fields[name] for name in UNITS} == {
        "delivery_failing": 0,
        "entries_dropped": 0,
        "folder_bytes": 9,
        "lag_bytes": 7,
        "oldest_unsent_seconds": 30,
    }
    assert fields[DIMENSION] == "production"
    assert fields["status"] == "ok"


@pytest.mark.parametrize(
    ("more", "failing"),
    [({}, 0), ({"enabled": False}, 0), ({"exhausted": True}, 1), ({"unusable": "loki.url is empty"}, 1)],
)
def test_delivery_fails_where_the_status_is_error(more: dict[str, Any], failing: int) -> None:
    assert MetricLine("e").fields(snapshot(**more), 1.0, WALL)["delivery_failing"] == failing


def test_drops_are_those_since_the_line_before() -> None:
    line, metrics = MetricLine("e"), Metrics()
    told = []

    for dropped in (2, 2, 5):
        metrics.dropped[DropReason.TOO_OLD] = dropped
        told.append(line.fields(snapshot(metrics=metrics), 1.0, WALL)["entries_dropped"])

    assert told == [2, 0, 3]


def test_it_is_due_at_once_and_then_in_step_with_the_minutes() -> None:
    line = MetricLine("e")
    moments = [100.0, 100.5, 159.9, 160.7, 219.9, 220.0, 400.0, 459.9, 460.0]

    assert [each for each in moments if line.is_due(each)] == [100.0, 160.7, 220.0, 400.0, 460.0]


def test_an_environment_without_a_name_is_a_dimension_all_the_same() -> None:
    assert MetricLine("").fields(snapshot(), 1.0, WALL)[DIMENSION] == "unknown"


@pytest.mark.parametrize(("form", "human"), [("json", False), ("human", True), ("auto", False)])
def test_the_log_tells_whether_people_read_it(form: LogFormat, *, human: bool) -> None:
    assert start_log("program", form, io.StringIO()).human is human


def test_in_the_json_log_the_line_s_members_are_at_the_top() -> None:
    stream = io.StringIO()
    log = start_log("program", "json", stream)

    log.write(20, "shipper.measured", "Delivery", **MetricLine("e").fields(snapshot(), 1.0, WALL))

    line = orjson.loads(stream.getvalue())
    assert {"_aws", "event", "message", DIMENSION, *UNITS} <= line.keys()
