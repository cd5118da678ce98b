"""The two probes, as an orchestrator and an operator run them: life, and delivery."""

import subprocess
import time
from pathlib import Path

from tests.e2e.stack import Shipper, Start, down, start_shipper, wait_until_all_arrived
from tests.e2e.writer import Session
from tests.fakes.loki import FakeLoki
from tests.process import clean_environment, command_line, eventually

# Within this time the delivery probe has to tell that Loki is away.
RED_SECONDS = 30.0


def probe(shipper: Shipper, home: Path, *args: str) -> int:
    port = shipper.url.rpartition(":")[2]
    command = command_line("llm-loki-ship", "health", f"--shipper-health-port={port}", *args)
    done = subprocess.run(
        command, env=clean_environment(home, {}), capture_output=True, timeout=20, check=False
    )
    return done.returncode


def test_while_loki_is_away_the_liveness_probe_stays_green_and_the_delivery_probe_turns_red(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    session.append()
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    wait_until_all_arrived(fake_loki, tmp_path / "logs")
    assert probe(shipper, tmp_path, "--delivery") == 0

    with down(fake_loki):
        session.append()
        since = time.monotonic()
        eventually(lambda: probe(shipper, tmp_path, "--delivery") == 1, RED_SECONDS, "a red delivery probe")
        assert time.monotonic() - since < RED_SECONDS
        assert probe(shipper, tmp_path) == 0

    eventually(lambda: probe(shipper, tmp_path, "--delivery") == 0, RED_SECONDS, "a green delivery probe")
    assert probe(shipper, tmp_path) == 0
    wait_until_all_arrived(fake_loki, tmp_path / "logs")
