import logging
from collections import Counter
from pathlib import Path

import orjson
import pytest

from groundwork.eventlog import EventLog
from shipper.checkpoint.rejected import RejectedList
from shipper.entry import DropReason, Span
from shipper.loki.push.outcome import Refused
from shipper.pipeline.rejections import Refusals
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics
from tests.shipper.entries import entry


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def refusals(tmp_path: Path, metrics: Metrics) -> Refusals:
    listed = RejectedList(tmp_path / "state")
    return Refusals(listed, Reporter(EventLog(logging.getLogger("refusals")), metrics), metrics)


def by_reason(folder: Path) -> dict[str, int]:
    rows = (folder / "state" / "rejected.jsonl").read_bytes().splitlines()
    return dict(Counter(orjson.loads(row)["reason"] for row in rows))


def test_lines_of_the_list_equal_what_is_counted_as_dropped(
    tmp_path: Path, refusals: Refusals, metrics: Metrics
) -> None:
    for number in range(3):
        refusals.add("a.jsonl", Refused(entry(number), DropReason.TOO_OLD, "too old"))
    refusals.add("b.jsonl", Refused(entry(7), DropReason.TOO_NEW, "too new"))
    refusals.lose("c.jsonl", Span(3, 10, 400))

    assert list(refusals.write()) == [entry(0), entry(1), entry(2), entry(7)]
    assert not list(refusals.write())

    assert by_reason(tmp_path) == {reason: count for reason, count in metrics.dropped.items() if count}
    assert metrics.bytes_dropped[DropReason.TOO_OLD] == sum(len(entry(number).line) for number in range(3))
    assert metrics.bytes_dropped[DropReason.FILE_GONE] == 390
    assert refusals.has(entry(0).span)
    assert not refusals.has(entry(3).span)
    assert metrics.events[Event.ENTRY_REJECTED.value[0]] == 4


def test_what_cannot_be_listed_waits_and_is_not_counted(
    tmp_path: Path, refusals: Refusals, metrics: Metrics
) -> None:
    (tmp_path / "state").write_text("in the way")
    refusals.lose("c.jsonl", Span(3, 10, 400))
    refusals.add("a.jsonl", Refused(entry(0), DropReason.TOO_OLD, "too old"))

    assert not list(refusals.write())
    assert metrics.entries_dropped == 0
    (tmp_path / "state").unlink()

    assert list(refusals.write()) == [entry(0)]
    assert by_reason(tmp_path) == {DropReason.FILE_GONE: 1, DropReason.TOO_OLD: 1}
    assert metrics.entries_dropped == 2
