"""``llm-loki-ship status`` beside a running shipper and without one."""

import json
import signal
from pathlib import Path

import pytest

from tests import clock
from tests.e2e.stack import Start, start_shipper
from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import Running, eventually, free_port


def write_session(logs: Path, name: str, line: str) -> None:
    day = logs / "api.anthropic.com" / clock.day()
    day.mkdir(parents=True, exist_ok=True)
    (day / f"{name}.jsonl").write_text(line)


def status(start: Start, logs: Path, port: int, *args: str, **env: str) -> Running:
    words = ("status", f"--log-dir={logs}", f"--shipper-health-port={port}", *args)
    return start("llm-loki-ship", *words, env={"COLUMNS": "100", **env})


def test_a_running_shipper_tells_its_state(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    logs, port = tmp_path / "logs", free_port()
    write_session(logs, clock.session(1), '{"type":"request"}\n')
    shipper = start_shipper(start, logs, fake_loki.push_url, f"--shipper-health-port={port}")
    eventually(lambda: shipper.delivered(1))

    shown, told, watched = (status(start, logs, port, *args) for args in ((), ("--json",), ("--watch",)))

    assert shown.wait() == told.wait() == 0
    assert shown.stdout[0].startswith("● ok  llm-loki-ship ")
    assert shown.stdout[-1].split()[0] == "done"
    report = json.loads("\n".join(told.stdout))
    assert (report["state"], report["health"]["entries_sent"], report["files_total"]) == ("ok", 1, 1)
    assert report["files"][0]["path"] == f"api.anthropic.com/{clock.day()}/{clock.session(1)}.jsonl"
    eventually(lambda: sum("● ok" in line for line in watched.stdout) >= 2)
    watched.signal(signal.SIGINT)
    assert (watched.wait(), watched.stderr) == (0, "")


def test_a_loki_that_is_away_is_told_with_exit_code_1(start: Start, tmp_path: Path) -> None:
    logs, port = tmp_path / "logs", free_port()
    write_session(logs, clock.session(1), '{"type":"request"}\n')
    away = f"http://127.0.0.1:{free_port()}/loki/api/v1/push"
    shipper = start_shipper(start, logs, away, f"--shipper-health-port={port}", "--loki-retry-max=0")
    eventually(lambda: shipper.health["status"] == "error")

    shown = status(start, logs, port)

    assert shown.wait() == 1
    assert shown.stdout[0].startswith("● error")
    assert any("last error" in line for line in shown.stdout)
    assert any("Nothing listens at" in line for line in shown.stdout)
    failing = shipper.process.wait_for("loki.delivery_failing")
    assert failing["advice"] in failing["message"]
    assert "Nothing listens at" in failing["advice"]


def test_without_a_running_shipper_the_checkpoint_tells_what_waits(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    write_session(logs, clock.session(1), '{"type":"request"}\n')
    shipper = start_shipper(start, logs, fake_loki.push_url)
    eventually(lambda: shipper.delivered(1))
    assert shipper.process.terminate() == 0
    write_session(logs, clock.session(2), "x" * 2048 + "\n")

    shown, told = status(start, logs, free_port()), status(start, logs, free_port(), "--json")

    assert shown.wait() == told.wait() == 1
    assert shown.stdout[0] == "● not running"
    assert "2.001 KiB" in "".join(shown.stdout)
    report = json.loads("\n".join(told.stdout))
    assert [(each["state"], each["waiting"]) for each in report["files"]] == [("waiting", 2049), ("done", 0)]


@pytest.mark.parametrize("logs", ["empty", "missing"])
def test_with_nothing_there_it_says_so(start: Start, tmp_path: Path, logs: str) -> None:
    (tmp_path / "empty").mkdir()
    shown = status(start, tmp_path / logs, free_port())

    assert (shown.wait(), shown.stderr) == (1, "")
    assert shown.stdout[0] == "● not running"
    assert ("is no folder" in " ".join(" ".join(shown.stdout).split())) == (logs == "missing")


def test_another_program_on_the_port_is_not_believed(
    start: Start, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    shown = status(start, tmp_path, fake_provider.port)

    assert shown.wait() == 1
    assert "is not llm-loki-ship" in "".join(shown.stdout)
