"""``llm-loki-ship run --once``: all that there is, once, and an end."""

import os
import signal
from pathlib import Path

import pytest

from shipper.commands.run.drain import Round, Verdict
from tests import clock
from tests.e2e.stack import Start
from tests.fakes.loki import FakeLoki
from tests.process import Running, free_port

OLD_NAME = clock.session(3)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A log folder with three sessions: one has a torn last line, and one was written long ago."""
    day = tmp_path / "logs" / "api.anthropic.com" / clock.day()
    day.mkdir(parents=True)
    (day / f"{clock.session(1)}.jsonl").write_text('{"type":"request"}\n{"type":"response"}\n')
    (day / f"{clock.session(2)}.jsonl").write_text('{"type":"request"}\n{"type":"resp')
    old = day / f"{OLD_NAME}.jsonl"
    old.write_text('{"type":"request"}\n' * 3)
    os.utime(old, (1_000_000_000, 1_000_000_000))
    return tmp_path / "logs"


def once(start: Start, logs: Path, url: str, *args: str) -> Running:
    words = ("run", "--once", f"--log-dir={logs}", "--loki-enabled", f"--loki-url={url}", *args)
    return start("llm-loki-ship", *words)


def told(process: Running, name: str) -> str:
    (line,) = [each for each in process.stdout if each.startswith(f"{name} ")]
    return line.removeprefix(name).strip()


def test_all_there_is_goes_once_and_what_was_left_out_later(
    start: Start, fake_loki: FakeLoki, logs: Path
) -> None:
    rehearsed = once(start, logs, fake_loki.push_url, "--dry-run")
    assert rehearsed.wait() == 0
    assert not fake_loki.pushes
    assert not (logs / ".llm-loki-ship").exists()

    recent = once(start, logs, fake_loki.push_url, "--since=1h")
    assert recent.wait() == 0
    first = len(fake_loki.lines())
    rest = once(start, logs, fake_loki.push_url)
    assert rest.wait() == 0
    second = len(fake_loki.lines())
    nothing = once(start, logs, fake_loki.push_url)
    assert nothing.wait() == 0

    assert (told(rehearsed, "lines").split(",")[0], told(rehearsed, "files")) == ("6", "3 of 3")
    assert any('{app="llm-proxy"' in line for line in rehearsed.stdout)
    assert (first, second, len(fake_loki.lines())) == (4, 7, 7)
    assert told(recent, "shipped").startswith("4 lines")
    assert told(rest, "shipped").startswith("3 lines")
    assert told(nothing, "shipped").startswith("0 lines")
    assert told(nothing, "left") == "0 B"


def test_a_loki_that_is_away_is_waited_for_until_ctrl_c(start: Start, logs: Path) -> None:
    away = once(start, logs, f"http://127.0.0.1:{free_port()}/loki/api/v1/push")
    away.wait_for("loki.push_failed")

    away.signal(signal.SIGINT)

    assert away.wait() == 3
    assert told(away, "left") != "0 B"
    assert "Traceback" not in away.stderr


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--loki-enabled=false"], 2, "loki.enabled = false (flag --loki-enabled): nothing to ship to"),
        (["--loki-url="], 2, "loki.url is empty"),
        (["--log-dir=/nowhere"], 1, "no such folder"),
        (["--since=yesterday"], 2, "--since 'yesterday'"),
    ],
)
def test_what_cannot_end_well_is_one_line(
    start: Start, logs: Path, args: list[str], code: int, words: str
) -> None:
    refused = once(start, logs, "http://127.0.0.1:1/loki/api/v1/push", *args)

    assert refused.wait() == code
    assert words in refused.stderr
    assert "\n" not in refused.stderr


@pytest.mark.parametrize("flag", ["--dry-run", "--since=1h"])
def test_what_goes_with_once_goes_with_nothing_else(start: Start, logs: Path, flag: str) -> None:
    refused = start("llm-loki-ship", "run", f"--log-dir={logs}", flag)

    assert (refused.wait(), refused.stderr) == (2, "llm-loki-ship: --since and --dry-run go with --once")


def test_a_torn_line_is_left_to_a_proxy_that_lives() -> None:
    made = Round()

    verdicts = [made.next(0.0, proxy_alive=True, idle=True) for _ in range(2)]

    assert verdicts == [Verdict.LOOK_ONCE_MORE, Verdict.DONE]


def test_without_a_proxy_torn_lines_go_last() -> None:
    made = Round()

    verdicts = [made.next(0.0, proxy_alive=False, idle=idle) for idle in (True, False, True, False, True)]

    assert verdicts == [
        Verdict.LOOK_ONCE_MORE,
        Verdict.GO_ON,
        Verdict.SHIP_TORN,
        Verdict.GO_ON,
        Verdict.DONE,
    ]
