"""Each verdict by what was seen."""

import re
from collections.abc import Iterable
from threading import Event

import pytest
from rich.console import Console

from shipper.commands.check.deadline import within
from shipper.commands.check.finding import Finding, Mark, cross, good, skipped, warning
from shipper.commands.check.limits import Limits, on_clock, on_limits, read_limits
from shipper.commands.check.report import exit_code, findings_shown, summary_shown
from shipper.commands.check.verdicts import (
    FolderSeen,
    PortSeen,
    ProxySeen,
    StateSeen,
    on_folder,
    on_port,
    on_proxy,
    on_state,
)
from tests.fakes.loki.limits import Limits as FakeLimits
from tests.fakes.loki.limits import config_text


def marks(findings: Iterable[Finding]) -> dict[str, Mark]:
    """Return what is not good, by subject."""
    return {each.subject: each.mark for each in findings if each.mark is not Mark.GOOD}


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (FolderSeen("/logs", files=2, size=9, free=2, least=1), {}),
        (FolderSeen("/logs", files=2, counted_all=False, free=2, least=1), {}),
        (FolderSeen("/logs", free=2, least=1), {"files": Mark.WARNING}),
        (FolderSeen("/logs", files=2, free=1, least=2), {"space": Mark.WARNING}),
        (FolderSeen("/logs", files=2, free=2, polling="nfs4"), {"events": Mark.WARNING}),
        (FolderSeen("/logs", problem="there is no such folder"), {"log_dir": Mark.CROSS}),
    ],
)
def test_the_folder(seen: FolderSeen, wrong: dict[str, Mark]) -> None:
    assert marks(on_folder(seen)) == wrong


@pytest.mark.parametrize(
    ("holds", "answers", "mark"),
    [
        (True, True, Mark.GOOD),
        (True, False, Mark.GOOD),
        (False, True, Mark.CROSS),
        (False, False, Mark.WARNING),
    ],
)
def test_a_proxy_that_runs_and_does_not_write_here_is_wrong(
    holds: bool,  # noqa: FBT001 - a parameter
    answers: bool,  # noqa: FBT001 - a parameter
    mark: Mark,
) -> None:
    assert on_proxy(ProxySeen("127.0.0.1:1", holds, answers), "/logs").mark is mark


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (StateSeen("/state"), {}),
        (StateSeen("/state", checkpoint_age=3.0, files=2), {}),
        (StateSeen("/state", problem="cannot be written by this user"), {"state_dir": Mark.CROSS}),
        (StateSeen("/state", damage="broken"), {"checkpoint": Mark.WARNING}),
        (StateSeen("/state", rejected=2), {"rejected": Mark.WARNING}),
    ],
)
def test_the_state_folder(seen: StateSeen, wrong: dict[str, Mark]) -> None:
    assert marks(on_state(seen)) == wrong


@pytest.mark.parametrize(
    ("seen", "held", "mark"),
    [
        (PortSeen("h:1"), False, Mark.GOOD),
        (PortSeen("h:1"), True, Mark.WARNING),
        (PortSeen("h:1", answers=True, state="ok"), True, Mark.GOOD),
        (PortSeen("h:1", answers=True, state="ok", log_dir="/other"), False, Mark.WARNING),
        (PortSeen("h:1", answers=True), False, Mark.CROSS),
    ],
)
def test_the_health_port(
    seen: PortSeen,
    held: bool,  # noqa: FBT001 - a parameter
    mark: Mark,
) -> None:
    assert on_port(seen, held=held).mark is mark


@pytest.mark.parametrize(
    ("ahead", "mark", "words"),
    [
        (0.0, Mark.GOOD, "agrees"),
        (1.9, Mark.GOOD, "agrees"),
        (61.0, Mark.WARNING, "1 min 1 s ahead of"),
        (-3600.0, Mark.WARNING, "1 h behind"),
        (700.0, Mark.CROSS, "ahead of"),
    ],
)
def test_clocks_apart_are_told(ahead: float, mark: Mark, words: str) -> None:
    found = on_clock("Mon, 23 Nov 2026 10:00:00 GMT", 1795428000.5 + ahead)

    assert found.mark is mark
    assert words in found.text


@pytest.mark.parametrize("date", ["", "soon"])
def test_an_answer_without_a_time_tells_nothing_of_clocks(date: str) -> None:
    assert on_clock(date, 0.0).mark is Mark.SKIPPED


def test_limits_are_read_as_loki_writes_them() -> None:
    told = config_text(FakeLimits(max_line_size=512 << 10, ingestion_rate_mb=8, auth_enabled=True))

    assert read_limits(told) == Limits(
        max_line_size=512 << 10, ingestion_rate=8 << 20, max_age=read_age(told)
    )


def read_age(text: str) -> str:
    found = re.search(r"reject_old_samples_max_age: (\S+)", text)
    assert found
    return found[1]


@pytest.mark.parametrize("text", ["", "<html>", "limits_config: {}\n", "limits_config:\n"])
def test_what_is_no_configuration_of_loki_has_no_limits(text: str) -> None:
    assert read_limits(text) is None


@pytest.mark.parametrize(
    ("limits", "ours", "wrong"),
    [
        (Limits(), 262_144, {}),
        (Limits(max_line_size=0), 1 << 20, {}),
        (Limits(), 262_145, {"lines": Mark.WARNING}),
        (Limits(max_line_size_truncate=True), 262_145, {"lines": Mark.CROSS}),
        (Limits(max_label_names=5), 262_144, {"labels": Mark.CROSS}),
        (Limits(allow_structured_metadata=False), 262_144, {"metadata": Mark.WARNING}),
        (Limits(message=1 << 19), 262_144, {"sizes": Mark.WARNING}),
    ],
)
def test_limits_are_compared_with_what_is_sent(limits: Limits, ours: int, wrong: dict[str, Mark]) -> None:
    assert marks(on_limits(limits, ours, 6)) == wrong


FOUND = {
    "Folder": [good("log_dir", "/logs/" + "long" * 30), warning("proxy", "none " * 40, "Start it. " * 20)],
    "Loki": [cross("push", "401: " + "no " * 90, "Set it."), skipped("the rest", "query")],
}


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_report_fits_the_terminal_and_leaves_nothing_out(width: int) -> None:
    console = Console(width=width, highlight=False)
    with console.capture() as captured:
        for heading, findings in FOUND.items():
            console.print(findings_shown(heading, findings))
        console.print(summary_shown(FOUND))
    shown = captured.get()

    assert max(map(len, shown.splitlines())) <= width
    assert "long" * 30 in re.sub(r"\s", "", shown)
    assert "1 good, 1 warnings, 1 wrong" in " ".join(shown.split())


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (good("a", "b"), 0),
        (warning("a", "b"), 0),
        (skipped("a", "b"), 0),
        (cross("a", "b"), 1),
        (cross("a", "b", misconfigured=True), 2),
    ],
)
def test_the_exit_code_says_who_must_act(finding: Finding, code: int) -> None:
    assert exit_code({"Loki": [good("c", "d"), finding]}) == code


def test_a_probe_ends_at_its_deadline_and_else_tells_what_it_found() -> None:
    never = Event()

    with pytest.raises(TimeoutError):
        within(0.01, never.wait)
    with pytest.raises(KeyError):
        within(5.0, lambda: {"present": 1}["absent"])
    assert within(5.0, lambda: 1) == 1
    never.set()
