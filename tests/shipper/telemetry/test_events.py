import ast
import io
import string
from pathlib import Path

import orjson

import shipper
from groundwork.eventlog import start_log
from shipper.telemetry.events import Event, Reporter
from shipper.telemetry.metrics import Metrics

SOURCES = sorted(Path(shipper.__file__).parent.rglob("*.py"))


def test_an_event_is_one_line_and_one_count() -> None:
    out, metrics = io.StringIO(), Metrics()
    reporter = Reporter(start_log("test", "json", out), metrics)

    reporter.report(Event.FILE_GONE, file="a.jsonl", bytes=7)

    line = orjson.loads(out.getvalue())
    assert (line["event"], line["level"], line["file"]) == ("source.file_gone", "warning", "a.jsonl")
    assert line["message"] == "A file was deleted with 7 unread bytes"
    assert metrics.events["source.file_gone"] == 1


def test_a_quiet_event_is_counted_only() -> None:
    out, metrics = io.StringIO(), Metrics()
    Reporter(start_log("test", "json", out), metrics).report(Event.FILE_NEW, quiet=True, times=3)

    assert out.getvalue() == ""
    assert metrics.events["source.file_new"] == 3


def test_every_event_is_counted_from_the_start_and_names_are_unique() -> None:
    metrics = Metrics()
    Reporter(start_log("test", "json", io.StringIO()), metrics)

    assert set(metrics.events.values()) == {0}
    assert len(metrics.events) == len(list(Event))


def test_every_report_gives_the_fields_that_its_sentence_names() -> None:
    checked = 0
    for source in SOURCES:
        for call in ast.walk(ast.parse(source.read_text())):
            if not (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr == "report"
            ):
                continue
            event = call.args[0]
            spread = any(each.arg is None for each in call.keywords)
            quiet = any(
                each.arg == "quiet" and getattr(each.value, "value", None) is True for each in call.keywords
            )
            if quiet or not (isinstance(event, ast.Attribute) and isinstance(event.value, ast.Name)):
                continue
            _, _, sentence = Event[event.attr].value
            named = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
            given = {each.arg for each in call.keywords if each.arg}
            assert named <= given or spread, f"{source.name}:{call.lineno} {event.attr} lacks {named - given}"
            checked += 1
    assert checked > 10
