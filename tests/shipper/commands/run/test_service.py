"""What ``run`` tells, and when, without a process and without waiting."""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from groundwork.disk.lock import FolderLock
from groundwork.eventlog import start_log
from groundwork.settings.settings import ConfigFile, resolve
from shipper.commands.run.service import Service
from shipper.config import ShipperSettings
from shipper.loki.push.push import Answer
from shipper.pipeline.pipeline import Pipeline
from shipper.telemetry.health import Snapshot
from shipper.telemetry.proxy_presence import MissingProxyNotice
from tests.shipper.telemetry.test_health import snapshot


class RunningService:
    """A service over a folder, and its log."""

    def __init__(self, folder: Path) -> None:
        flags = {"log_dir": str(folder), "shipper.health_port": "0"}
        loaded = resolve(ShipperSettings, flags=flags, environ={}, file=ConfigFile("", {}))
        self._out = io.StringIO()
        self.service = Service(loaded, start_log("service-test", "json", self._out))
        self.service._metrics.failed("503", 0.0, "Look at its log.")

    def see(self, made: Snapshot, now: float) -> None:
        self.service._publisher.tell_of_outage(made, now)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self._out.getvalue().splitlines()]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningService]:
    made = RunningService(tmp_path)
    yield made
    made.service._port.stop()


def test_an_outage_of_two_minutes_is_three_lines(running: RunningService) -> None:
    down = snapshot(exhausted=True, waiting_since=100.0, lag_bytes=7, metrics=running.service._metrics)
    for second in range(110, 230):
        running.see(down, float(second))
    for now in (230.0, 231.0):
        running.see(snapshot(ticked_at=now), now)

    began, lasts, ended = running.events
    assert began["event"] == "loki.delivery_failing"
    assert began["message"] == "Lines do not reach Loki: 503. Look at its log."
    assert (lasts["event"], lasts["failing_seconds"], lasts["lag_bytes"]) == ("loki.still_failing", 70.0, 7)
    assert (ended["event"], ended["failing_seconds"]) == ("loki.delivery_recovered", 130.0)


@pytest.mark.parametrize(
    ("took", "busy", "rests"),
    [(0.01, False, 0.5), (0.01, True, 0.5), (0.0001, False, 0.005), (0.0, True, 0.1)],
)
def test_snapshots_take_a_fiftieth_of_the_time_and_ten_a_second_are_enough_under_load(
    running: RunningService,
    took: float,
    busy: bool,  # noqa: FBT001 - a table
    rests: float,
) -> None:
    publisher = running.service._publisher
    assert not publisher.holds_back(100.0, busy=busy)
    publisher.rest(100.0, took)

    assert publisher.holds_back(100.0 + rests * 0.99, busy=busy)
    assert publisher.due_at == pytest.approx(100.0 + rests)
    assert not publisher.holds_back(100.0 + rests * 1.01, busy=busy)
    assert publisher.due_at == math.inf


def test_who_asks_is_not_kept_waiting(running: RunningService) -> None:
    publisher = running.service._publisher
    publisher.rest(100.0, 10.0)
    running.service._port.is_asked = True

    assert not publisher.holds_back(100.0, busy=True)


class Settled:
    """Takes answers like a pipeline."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def handle_answer(self, number: int, *_: object) -> None:
        self.numbers.append(number)


@pytest.mark.parametrize(
    "messages", [[None], [None, None], [(1, Answer(204))], [None, (1, Answer(204)), (2, Answer(204)), None]]
)
def test_all_that_has_come_in_is_taken_whatever_came_first(
    running: RunningService, messages: list[tuple[int, Answer] | None]
) -> None:
    for each in messages:
        running.service._inbox.put(each)
    pipeline = Settled()

    running.service._receive(60.0, cast("Pipeline", pipeline))

    assert pipeline.numbers == [each[0] for each in messages if each]
    assert running.service._inbox.empty()


@pytest.mark.parametrize(("held", "missed"), [(False, True), (True, False)])
def test_a_proxy_that_is_not_there_is_missed_once(
    tmp_path: Path,
    held: bool,  # noqa: FBT001 - a table
    missed: bool,  # noqa: FBT001 - as above
) -> None:
    lock = FolderLock(tmp_path / ".llm-proxy" / "lock")
    if held:
        lock.acquire()
    absence = MissingProxyNotice(tmp_path, start=0.0)
    news = [absence.is_news(now) for now in (29.0, 30.0, 31.0)]

    assert news == [False, missed, False]
    lock.release()
