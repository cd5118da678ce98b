"""What the log of ``run`` says of lasting trouble, without a process and without waiting."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from groundwork.eventlog import start_log
from groundwork.lock import FolderLock
from groundwork.settings import ConfigFile, resolve
from shipper.config import ShipperSettings
from shipper.health import Snapshot
from shipper.metrics import Metrics
from shipper.neighbour import Absence
from shipper.service import Service
from tests.shipper.test_health import snapshot


class Told:
    """A service over a folder, and its log."""

    def __init__(self, folder: Path) -> None:
        flags = {"log_dir": str(folder), "shipper.health_port": "0"}
        loaded = resolve(ShipperSettings, flags=flags, environ={}, file=ConfigFile("", {}))
        self._out = io.StringIO()
        self.service = Service(loaded, start_log("service-test", "json", self._out))
        self.service._metrics.failed("503", 0.0, "Look at its log.")

    def see(self, made: Snapshot, now: float) -> None:
        self.service._tell_of_outage(made, now)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self._out.getvalue().splitlines()]


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = Told(tmp_path)
    yield made
    made.service._port._server.server_close()


def test_an_outage_of_two_minutes_is_three_lines(told: Told) -> None:
    down = snapshot(exhausted=True, waiting_since=100.0, lag_bytes=7, metrics=Metrics())
    for now in range(110, 230):
        told.see(down, float(now))
    for now in (230.0, 231.0):
        told.see(snapshot(ticked_at=now), now)

    began, lasts, ended = told.events
    assert began["event"] == "loki.delivery_failing"
    assert began["message"] == "Lines do not reach Loki: 503. Look at its log."
    assert (lasts["event"], lasts["failing_seconds"], lasts["lag_bytes"]) == ("loki.still_failing", 70.0, 7)
    assert (ended["event"], ended["failing_seconds"]) == ("loki.delivery_recovered", 130.0)


@pytest.mark.parametrize(("held", "missed"), [(False, True), (True, False)])
def test_a_proxy_that_is_not_there_is_missed_once(
    tmp_path: Path,
    held: bool,  # noqa: FBT001 - a table
    missed: bool,  # noqa: FBT001 - as above
) -> None:
    lock = FolderLock(tmp_path / ".llm-proxy" / "lock")
    if held:
        lock.acquire()
    absence = Absence(tmp_path, start=0.0)
    news = [absence.is_news(now) for now in (29.0, 30.0, 31.0)]

    assert news == [False, missed, False]
    lock.release()
