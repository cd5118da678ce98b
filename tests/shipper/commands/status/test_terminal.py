import io
from typing import Any

import pytest
from rich.console import Console

from shipper.commands.status.terminal import MOST_FILES, state_shown
from shipper.telemetry.metrics import Metrics
from shipper.telemetry.page.files import FileRow, FileState, Survey
from shipper.telemetry.page.state import About, state_of
from shipper.telemetry.rates import Point
from tests.shipper.telemetry.test_health import snapshot

WIDTHS = [60, 80, 120, 200]
DAY = "api.anthropic.com/2026-11-23"


def printed(report: dict[str, Any], width: int, *, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, force_terminal=colour).print(state_shown(report, width))
    return out.getvalue()


def rows(count: int) -> tuple[FileRow, ...]:
    return tuple(
        FileRow(f"{DAY}/2026112{n % 10}-100000-{n:08x}.jsonl", 5000, 1000, 4000, FileState.WAITING, 900.0)
        for n in range(count)
    )


def report(survey: Survey | None = None, **more: Any) -> dict[str, Any]:
    about = About("1.2.3", 0.0, "http://loki:3100/loki/api/v1/push", "/logs")
    more.setdefault("lag_bytes", 4000)
    return state_of(snapshot(**more), survey or Survey(1, rows(1)), about, now=100.0, wall=1_000.0)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    metrics = Metrics(last_error="503: upstream connect error " * 9, last_error_time=940.0)
    told = printed(report(Survey(10_000, rows(200)), metrics=metrics, exhausted=True), width)

    assert max(map(len, told.splitlines())) <= width
    assert "●" in told.splitlines()[0]
    assert "error" in told.splitlines()[0]
    assert f"and {10_000 - MOST_FILES:,} more files" in told
    assert "1 min ago" in told.replace("\n", " ").replace("  ", " ")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_narrow_terminal_keeps_state_backlog_and_name(width: int) -> None:
    line = printed(report(), width).splitlines()[-1]

    assert line.split()[:3] == ["waiting", "3.906", "KiB"]
    assert line.rstrip().endswith(".jsonl")
    assert ("20 %" in line) == (width >= 75)


@pytest.mark.parametrize(
    ("more", "start"),
    [
        ({}, "● ok  llm-loki-ship 1.2.3, up 16 min 40 s"),
        ({"enabled": False}, "● disabled"),
        ({"oldest_time": 10**9}, "● catching up"),
        ({"draining": True}, "● draining"),
        ({"exhausted": True}, "● error"),
    ],
)
def test_the_first_line_says_it_in_a_word(more: dict[str, Any], start: str) -> None:
    assert printed(report(**more), 80).startswith(start)


def test_colours_are_for_terminals_only() -> None:
    assert "\x1b[" not in printed(report(history=(Point(1, 1.0, 1),)), 80)
    assert "\x1b[" in printed(report(), 80, colour=True)


def test_what_was_set_aside_is_named_with_its_place() -> None:
    told = printed(report(parked=(("/logs/a.jsonl", 4096),)), 80)

    assert "/logs/a.jsonl at byte 4,096" in told


def test_an_empty_folder_has_no_table() -> None:
    told = printed(report(Survey(), lag_bytes=0), 80)

    assert "0 files" in told
    assert "nothing waits" in told
    assert "changed" not in told


def test_a_session_s_name_is_whole_on_eighty_columns() -> None:
    (row,) = rows(1)

    assert row.path.rpartition("/")[2] in printed(report(), 80)
    assert row.path in printed(report(), 120)


def test_an_error_says_what_to_do_and_that_nothing_is_lost() -> None:
    metrics = Metrics(last_error="401: no org id", last_error_time=940.0, advice="Set loki.tenant_id.")
    told = " ".join(printed(report(metrics=metrics, exhausted=True), 120).split())

    assert "Nothing is lost meanwhile" in told
    assert "do Set loki.tenant_id." in told


def test_a_hint_at_the_surroundings_is_told() -> None:
    made = report() | {"hint": "no llm-proxy works with this folder now"}

    assert "no llm-proxy works" in printed(made, 80)
