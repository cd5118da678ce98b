from typing import Any

import orjson
import pytest

from groundwork.settings.settings import ConfigFile, resolve
from shipper.config import ShipperSettings
from shipper.telemetry.metrics import Metrics
from shipper.telemetry.page.about import about_of
from shipper.telemetry.page.files import FileRow, FileState, Survey
from shipper.telemetry.page.state import About, state_of
from shipper.telemetry.rates import Point
from tests.shipper.telemetry.test_health import snapshot

SECRETS = {
    "LLM_PROXY_LOKI_AUTH_TOKEN": "t0p-secret",
    "LLM_PROXY_LOKI_PASSWORD": "t0p-secret",
    "LLM_PROXY_LOKI_HEADERS": "X-Key=t0p-secret",
    "LLM_PROXY_LOKI_URL": "https://me:t0p-secret@loki/loki/api/v1/push?key=t0p-secret",
    "LLM_PROXY_LOKI_ENABLED": "true",
}


NOTHING = Survey()


def told(survey: Survey = NOTHING, about: About | None = None, **more: Any) -> dict[str, Any]:
    return state_of(snapshot(**more), survey, about or About(), now=100.0, wall=1_000.0)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({}, "ok"),
        ({"enabled": False}, "disabled"),
        ({"exhausted": True, "draining": True}, "error"),
        ({"draining": True}, "draining"),
        ({"oldest_time": 930 * 10**9, "lag_bytes": 9}, "catching_up"),
        ({"oldest_time": 990 * 10**9, "lag_bytes": 9}, "ok"),
    ],
)
def test_the_state_is_one_word(more: dict[str, Any], word: str) -> None:
    assert told(**more)["state"] == word


def test_the_report_is_json_and_holds_files_history_and_mishaps() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.happened("loki.push_failed", "A push failed", 999.0)
    row = FileRow("a/b.jsonl", 10, 4, 6, FileState.WAITING, 990.0)

    report = orjson.loads(
        orjson.dumps(told(Survey(7, (row,)), metrics=metrics, history=(Point(990, 5.0, 6),), lag_bytes=6))
    )

    assert report["files_total"] == 7
    assert report["files"] == [
        {"path": "a/b.jsonl", "size": 10, "settled": 4, "waiting": 6, "state": "waiting", "age_seconds": 10.0}
    ]
    assert report["history"] == [{"at": 990, "bytes_per_second": 5.0, "lag_bytes": 6}]
    (mishap,) = report["errors"]
    assert (mishap["time"], mishap["times"]) == ("1970-01-01T00:16:39+00:00", 3)
    assert report["backlog"]["bytes"] == 6


def test_settings_are_told_with_their_origin_and_without_secrets() -> None:
    loaded = resolve(ShipperSettings, flags={"log_dir": "/x"}, environ=SECRETS, file=ConfigFile("", {}))
    about = about_of(loaded, "1.0", 0.0)
    rows = {row["key"]: (row["value"], row["origin"]) for row in about.settings}

    assert rows["log_dir"] == ('"/x"', "flag --log-dir")
    assert rows["loki.password"] == ("(set)", "environment variable LLM_PROXY_LOKI_PASSWORD")
    assert rows["loki.username"] == ('""', "default")
    assert rows["loki.batch_size"] == ("1000", "default")
    assert about.loki == rows["loki.url"][0] == "https://loki/loki/api/v1/push"
    assert b"t0p-secret" not in orjson.dumps(told(about=about))
