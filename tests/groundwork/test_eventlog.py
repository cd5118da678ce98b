import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from groundwork.eventlog import EventLog, LogFormat, start_log


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored_root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def started(log_format: LogFormat = "json") -> tuple[EventLog, StringIO]:
    stream = StringIO()
    return start_log("llm-test", log_format, stream), stream


def only_line(stream: StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_an_event_is_one_json_line_with_its_name_and_fields() -> None:
    log, stream = started()
    before = datetime.now(UTC)

    log.write(logging.WARNING, "shipper.push_failed", "a push failed", status=503, retry=True)

    line = only_line(stream)
    stamped = datetime.fromisoformat(line.pop("ts"))
    assert stamped.tzinfo is not None
    assert before - timedelta(milliseconds=1) <= stamped <= datetime.now(UTC)
    assert list(line.items()) == [
        ("level", "warning"),
        ("event", "shipper.push_failed"),
        ("message", "a push failed"),
        ("status", 503),
        ("retry", True),
    ]


def test_an_event_is_one_human_line() -> None:
    log, stream = started("human")

    fields = {"port": 12071, "lag_bytes": 4096, "wait_seconds": 90.04, "pushes": 3}
    log.write(logging.INFO, "proxy.started", "Listening on port 12071", **fields)

    clock, _, rest = stream.getvalue().partition(" ")
    assert datetime.strptime(clock, "%H:%M:%S").astimezone()
    assert rest == "INFO    Listening on port 12071  lag=4 KiB  wait=1m30s  pushes=3\n"


@pytest.mark.parametrize(
    ("stream", "env", "coloured"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_whose_user_wants_them(
    stream: StringIO,
    env: dict[str, str],
    coloured: bool,  # noqa: FBT001 - a table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.setenv(name, env.get(name, ""))

    start_log("llm-test", "human", stream).write(logging.ERROR, "proxy.failed", "it failed", port=1)

    assert ("\x1b[31mERROR" in stream.getvalue()) is coloured
    assert ("\x1b" in stream.getvalue()) is coloured


@pytest.mark.parametrize("stream", [Terminal(), StringIO()])
def test_auto_is_human_on_a_terminal_and_json_otherwise(stream: StringIO) -> None:
    start_log("llm-test", "auto", stream).write(logging.INFO, "proxy.started", "up")

    assert stream.getvalue().startswith("{") is not stream.isatty()


def test_the_default_stream_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    start_log("llm-test").write(logging.INFO, "proxy.started", "up")

    captured = capsys.readouterr()
    assert json.loads(captured.err)["message"] == "up"
    assert captured.out == ""


def test_other_libraries_are_heard_from_warning_on_and_in_the_same_form() -> None:
    _, stream = started()

    logging.getLogger("some.library").info("chatter")
    logging.getLogger("some.library").warning("%d things", 3)

    line = only_line(stream)
    assert (line["level"], line["event"], line["message"]) == ("warning", "log", "3 things")


@pytest.mark.parametrize("log_format", ["json", "human"])
def test_an_exception_keeps_its_trace(log_format: LogFormat) -> None:
    _, stream = started(log_format)

    try:
        int("broken")
    except ValueError:
        logging.getLogger("some.library").exception("it failed")

    shown = only_line(stream)["exception"] if log_format == "json" else stream.getvalue()
    assert "it failed" in stream.getvalue()
    assert shown.rstrip().endswith("'broken'")


def test_a_message_is_not_taken_for_a_format() -> None:
    log, stream = started()

    log.write(logging.INFO, "proxy.path", "100%s of %d")

    assert only_line(stream)["message"] == "100%s of %d"


def test_fields_may_bear_any_name_but_never_replace_the_line_s_own() -> None:
    log, stream = started()

    log.write(
        logging.INFO, "proxy.odd", "true words", name="a", level="high", event="b", message="false", self=1
    )

    line = only_line(stream)
    assert (line["level"], line["event"], line["message"]) == ("info", "proxy.odd", "true words")
    assert (line["name"], line["self"]) == ("a", 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Path("/logs/a.jsonl"), "/logs/a.jsonl"),
        ("broken \udcff name", "broken \udcff name"),
        (1 << 80, 1 << 80),
        (b"raw", "b'raw'"),
    ],
)
def test_a_field_that_is_no_plain_json_still_makes_a_line(value: object, shown: object) -> None:
    log, stream = started()

    log.write(logging.INFO, "proxy.odd", "odd", value=value)

    assert only_line(stream)["value"] == shown


@pytest.mark.parametrize("log_format", ["json", "human"])
def test_a_value_from_outside_cannot_forge_a_line_or_steer_a_terminal(log_format: LogFormat) -> None:
    log, stream = started(log_format)

    log.write(logging.INFO, "proxy.path", "a request", path="/x\n12:00:00 ERROR forged\x1b[2J \u00fc")

    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "\u00fc" in (stream.getvalue() if log_format == "human" else only_line(stream)["path"])


def test_starting_again_replaces_the_first_log() -> None:
    _, first = started()
    log, second = started()

    log.write(logging.INFO, "proxy.started", "up")

    assert first.getvalue() == ""
    assert only_line(second)["message"] == "up"
