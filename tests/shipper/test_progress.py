"""``llm-loki-ship status`` beside a running shipper and without one."""

from pathlib import Path

from tests.e2e.stack import Start, start_shipper
from tests.fakes.loki import FakeLoki
from tests.process import eventually, free_port


def write_session(logs: Path, name: str, line: str) -> None:
    day = logs / "api.anthropic.com" / "2026-11-23"
    day.mkdir(parents=True, exist_ok=True)
    (day / f"{name}.jsonl").write_text(line)


def test_a_running_shipper_tells_its_state(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    logs, port = tmp_path / "logs", free_port()
    write_session(logs, "20261123-100000-00000001", '{"type":"request"}\n')
    shipper = start_shipper(start, logs, fake_loki.push_url, f"--shipper-health-port={port}")
    eventually(lambda: shipper.delivered(1))

    status = start("llm-loki-ship", "status", f"--log-dir={logs}", f"--shipper-health-port={port}")

    assert status.wait() == 0
    assert status.stdout[0] == "running, status ok"
    assert any(line.split() == ["entries_sent", "1"] for line in status.stdout)


def test_without_a_running_shipper_the_checkpoint_tells_what_waits(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    write_session(logs, "20261123-100000-00000001", '{"type":"request"}\n')
    shipper = start_shipper(start, logs, fake_loki.push_url)
    eventually(lambda: shipper.delivered(1))
    assert shipper.process.terminate() == 0
    write_session(logs, "20261123-100000-00000002", "x" * 2048 + "\n")

    status = start("llm-loki-ship", "status", f"--log-dir={logs}", f"--shipper-health-port={free_port()}")

    assert status.wait() == 0
    assert status.stdout[0] == f"not running; 2 files in {logs}, 2.001 KiB not delivered"
    assert status.stdout[1].split() == ["2.001", "KiB", "20261123-100000-00000002.jsonl"]
