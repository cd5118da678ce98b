"""``llm-loki-ship rejected``, as a person meets it."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from shipper.checkpoint.rejected import RejectedList, Rejection, rejection
from shipper.commands.app import app
from shipper.commands.delivery.table import advice_on, groups_of, refused_shown
from shipper.entry import DropReason, Span
from tests import clock
from tests.fakes.loki import FakeLoki, Order
from tests.process import free_port

# Older than Loki takes lines by default, and a full second.
TIME = (clock.NOW - 20 * clock.DAY) // clock.SECOND * clock.SECOND
DAY = clock.day(TIME)
LINE = b'{"type":"request","_meta":{"ts":"%bZ"},"provider":"openai"}' % clock.stamp(TIME)[:19].encode()
Rejected = Callable[..., Result]


@pytest.fixture
def rejected(fake_loki: FakeLoki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rejected:
    """``rejected("--retry")`` runs the command in this process, on a terminal of 100 columns."""
    settings = {"LOKI_URL": fake_loki.push_url, "LOG_DIR": str(tmp_path), "LOKI_BATCH_WAIT": "1s"}
    for name, value in {"HOME": str(tmp_path), "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    for name, value in settings.items():
        monkeypatch.setenv(f"LLM_PROXY_{name}", value)
    monkeypatch.setattr("shipper.loki.query.patient.time.sleep", lambda _: None)
    return lambda *args: CliRunner().invoke(app, ["rejected", *args])


def refuse(folder: Path, name: str, *, count: int = 1, reason: str = DropReason.TOO_OLD) -> None:
    """Write a session file of which Loki has refused every line."""
    file = folder / "api.openai.com" / DAY / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes((LINE + b"\n") * count)
    listed = RejectedList(folder / ".llm-loki-ship")
    for number in range(count):
        span = Span(1, number * (len(LINE) + 1), (number + 1) * (len(LINE) + 1))
        row = rejection(str(file), span, reason=reason, line=LINE, answer="entry: timestamp too old\n")
        listed.add(replace(row, timestamp=TIME + number))


def test_refusals_are_listed_by_reason_and_file_with_what_to_do(rejected: Rejected, tmp_path: Path) -> None:
    refuse(tmp_path, "one.jsonl", count=3)
    refuse(tmp_path, "two.jsonl")
    refuse(tmp_path, "three.jsonl", reason=DropReason.LINE_TOO_LONG)
    (tmp_path / "api.openai.com" / DAY / "two.jsonl").unlink()

    shown = rejected()

    assert (shown.exit_code, shown.stderr) == (1, "")
    assert [line.rstrip() for line in shown.stdout.splitlines()] == [
        "line_too_long  1 entry in 1 file",
        "  Loki: entry: timestamp too old",
        "  to do: raise max_line_size in Loki's limits_config, then llm-loki-ship rejected --retry",
        "  entries  within bytes  file",
        f"        1  0 to 77       api.openai.com/{DAY}/three.jsonl",
        "",
        "too_old  4 entries in 2 files",
        "  Loki: entry: timestamp too old",
        "  to do: raise reject_old_samples_max_age in Loki's limits_config, then llm-loki-ship rejected",
        "--retry",
        "  entries  within bytes  file",
        f"        3  0 to 231      api.openai.com/{DAY}/one.jsonl",
        f"        1  0 to 77       api.openai.com/{DAY}/two.jsonl (gone)",
    ]


def test_scripts_get_each_refusal(rejected: Rejected, tmp_path: Path) -> None:
    refuse(tmp_path, "one.jsonl", count=2)

    told = rejected("--json")

    assert told.exit_code == 1
    rows = json.loads(told.stdout)
    assert [(row["start"], row["reason"], row["file_is_there"]) for row in rows] == [
        (0, "too_old", True),
        (77, "too_old", True),
    ]
    assert json.loads(rejected("--json", f"--shipper-state-dir={tmp_path}/other").stdout) == []


def test_an_empty_list_is_good_news(rejected: Rejected) -> None:
    shown, again = rejected(), rejected("--retry")

    assert (shown.exit_code, shown.stdout) == (0, "Loki has refused nothing for good.\n")
    assert (again.exit_code, again.stdout) == (0, "delivered: 0, still refused: 0\n")


def test_what_goes_through_is_listed_no_more(rejected: Rejected, fake_loki: FakeLoki, tmp_path: Path) -> None:
    refuse(tmp_path, "one.jsonl", count=3)

    still = rejected("--retry")
    fake_loki.limit(reject_old_samples=False)
    fake_loki.order(Order(status=429, body="ingestion rate limit exceeded", path="/push", times=2))
    through = rejected("--retry", "--json")

    assert still.exit_code == 1
    assert still.stdout.splitlines() == [
        f"{tmp_path}/api.openai.com/{DAY}/one.jsonl: 3 not delivered: Loki refuses it again: too_old",
        "delivered: 0, still refused: 3",
    ]
    assert through.exit_code == 0
    assert json.loads(through.stdout) == {"delivered": 3, "left": 0, "stopped": "", "troubles": []}
    assert len(fake_loki.lines()) == 3
    assert rejected().exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "complaint"),
    [
        (None, "accepts nothing now: unreachable"),
        (Order(status=401, body="no", path="/push", times=0), "accepts nothing now: 401 no"),
        (Order(status=503, body="later", path="/push", times=0), "accepts nothing now: 503 later"),
    ],
    ids=["Loki down", "wrong token", "trouble that stays"],
)
def test_a_loki_that_takes_nothing_ends_the_round_at_once(
    rejected: Rejected, fake_loki: FakeLoki, tmp_path: Path, order: Order | None, complaint: str
) -> None:
    refuse(tmp_path, "one.jsonl", count=500)
    if order:
        fake_loki.order(order)

    done = rejected("--retry", *([] if order else [f"--loki-url=http://127.0.0.1:{free_port()}/push"]))

    assert done.exit_code == 1
    assert done.stdout == "delivered: 0, still refused: 500\n"
    assert done.stderr.startswith("llm-loki-ship: stopped, because Loki ")
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(fake_loki.pushes) <= 5


def test_a_line_goes_again_with_its_own_time(rejected: Rejected, fake_loki: FakeLoki, tmp_path: Path) -> None:
    refuse(tmp_path, "one.jsonl")
    file = next(tmp_path.rglob("one.jsonl"))
    line = LINE.replace(clock.stamp(TIME)[:19].encode(), clock.stamp()[:19].encode())
    file.write_bytes(line + b"\n")
    listed = RejectedList(tmp_path / ".llm-loki-ship")
    row = rejection(str(file), Span(1, 0, len(line) + 1), reason=DropReason.TOO_OLD, line=line)
    listed.add(replace(row, timestamp=TIME))

    rejected("--retry")

    told = clock.NOW // clock.SECOND * clock.SECOND
    assert [each.ts for each in fake_loki.entries()] == [told]


def test_a_file_that_is_gone_is_told(rejected: Rejected, tmp_path: Path) -> None:
    refuse(tmp_path, "one.jsonl", count=2)
    (tmp_path / "api.openai.com" / DAY / "one.jsonl").unlink()

    done = rejected("--retry")

    assert done.exit_code == 1
    assert "2 not delivered: its file cannot be read: No such file" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    rows = [
        Rejection(f"/logs/api.anthropic.com/2026-11-23/{n % 40:08x}.jsonl", n, 10**9, "", reason, "no " * 200)
        for n in range(10_000)
        for reason in (DropReason.TOO_OLD, DropReason.FILE_GONE)
    ]
    out = io.StringIO()
    groups = groups_of(rows, lambda _: False)
    Console(file=out, width=width, highlight=False).print(refused_shown(groups, "/logs", width))
    lines = out.getvalue().splitlines()

    assert max(map(len, lines)) <= width
    assert sum(line.startswith("  and 20 more files") for line in lines) == 2
    assert len(lines) < 80


def test_there_is_advice_on_every_reason() -> None:
    assert len({advice_on(reason) for reason in DropReason}) == len(DropReason)
