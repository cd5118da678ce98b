from typing import Any

import pytest

from shipper.telemetry.health import (
    Snapshot,
    Status,
    advice_of,
    error_of,
    is_alive,
    report_of,
    status_of,
    trouble_of,
)
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
        ({"stuck_since": 86.5}, Status.OK),
        ({"stuck_since": 86.0}, Status.ERROR),
        ({"refused": {"too_old": 1}}, Status.ERROR),
    ],
)
def test_the_status_follows_from_what_waits_and_for_how_long(state: dict[str, Any], status: Status) -> None:
    assert status_of(snapshot(**state), now=100.0) is status


def test_a_rejected_line_is_told_with_what_to_do_unless_something_is_wrong_now() -> None:
    resting = snapshot(refused={"too_old": 2, "file_gone": 1})
    assert error_of(resting) == "not in Loki, and not sent again: 2 too_old, 1 file_gone"
    assert "rejected --accept" in advice_of(resting)
    assert trouble_of(resting).startswith("Lines are not in Loki")
    failing = snapshot(refused={"too_old": 2}, exhausted=True, metrics=Metrics(last_error="503"))
    assert error_of(failing) == "503"


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
