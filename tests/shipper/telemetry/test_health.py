from typing import Any

import pytest

from shipper.telemetry.health import Snapshot, Status, is_alive, report_of, status_of, trouble_of
from shipper.telemetry.metrics import Metrics


def snapshot(**more: Any) -> Snapshot:
    well = {
        "enabled": True,
        "unusable": "",
        "exhausted": False,
        "waiting_since": None,
        "ticked_at": 100.0,
        "metrics": Metrics(),
    }
    return Snapshot(**{**well, **more})


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ({}, Status.OK),
        ({"enabled": False}, Status.DISABLED),
        ({"enabled": False, "unusable": "no url"}, Status.DISABLED),
        ({"unusable": "no url"}, Status.ERROR),
        ({"exhausted": True}, Status.ERROR),
        ({"waiting_since": 86.0}, Status.OK),
        ({"waiting_since": 85.0}, Status.ERROR),
        ({"oldest_since": 71.0}, Status.OK),
        ({"oldest_since": 70.0}, Status.ERROR),
        ({"growing_since": 91.0}, Status.OK),
        ({"growing_since": 90.0}, Status.ERROR),
    ],
)
def test_the_status_follows_from_what_waits_and_for_how_long(state: dict[str, Any], status: Status) -> None:
    assert status_of(snapshot(**state), now=100.0) is status


@pytest.mark.parametrize(
    ("state", "trouble"),
    [
        ({"growing_since": 90.0}, "Lines reach Loki more slowly than they are written"),
        ({"growing_since": 90.0, "waiting_since": 85.0}, "Lines do not reach Loki"),
        ({"growing_since": 90.0, "oldest_since": 70.0}, "Some lines do not reach Loki, others do"),
    ],
)
def test_the_trouble_says_whether_anything_reaches_loki(state: dict[str, Any], trouble: str) -> None:
    assert trouble_of(snapshot(**state)) == trouble


def test_a_loop_that_stands_still_is_not_alive() -> None:
    assert is_alive(snapshot(), now=129.0)
    assert not is_alive(snapshot(), now=131.0)


def test_the_report_holds_counts_and_ages() -> None:
    metrics = Metrics(entries_sent=5, batches_sent=2, last_error="503", last_error_time=1_000.0)
    metrics.dropped["too_old"] = 3

    report = report_of(
        snapshot(metrics=metrics, lag_bytes=7, oldest_time=990 * 10**9), now=100.0, wall=1_000.0
    )

    assert report["status"] == "ok"
    assert (report["entries_sent"], report["entries_dropped"], report["batches_sent"]) == (5, 3, 2)
    assert (report["last_error"], report["last_error_time"]) == ("503", "1970-01-01T00:16:40+00:00")
    assert (report["lag_bytes"], report["oldest_unsent_seconds"]) == (7, 10.0)


def test_at_the_start_nothing_is_told_of_errors() -> None:
    report = report_of(snapshot(), now=100.0, wall=1_000.0)

    assert (report["last_error"], report["last_error_time"], report["oldest_unsent_seconds"]) == (
        None,
        None,
        0,
    )
