"""What tells an operator how it goes: the two probes, and the line of metrics in the log."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stack import Shipper, Start, down, start_proxy, start_shipper, wait_until_all_arrived
from tests.e2e.writer import Session
from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import clean_environment, command_line, eventually

# Within this time the delivery probe has to tell that Loki is away.
RED_SECONDS = 30.0
# What a probe may cost, as it runs every 15 seconds for ever: times what Python takes to do nothing.
MOST_TIMES_NOTHING = 4
_TRIES = 7


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
        eventually(lambda: probe(shipper, tmp_path, "--delivery") == 1, RED_SECONDS, "a red delivery probe")
        assert probe(shipper, tmp_path) == 0

    eventually(lambda: probe(shipper, tmp_path, "--delivery") == 0, RED_SECONDS, "a green delivery probe")
    assert probe(shipper, tmp_path) == 0
    wait_until_all_arrived(fake_loki, tmp_path / "logs")


def test_the_log_has_a_line_of_metrics_from_the_start(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url, "--loki-environment=production")

    line = shipper.process.wait_for("shipper.measured")

    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert {each["Name"] for each in directive["Metrics"]} < line.keys()
    assert (line["environment"], line["status"]) == ("production", "ok")


def test_people_see_no_line_of_metrics(start: Start, tmp_path: Path) -> None:
    process = start(
        "llm-loki-ship", "run", f"--log-dir={tmp_path}", "--log-format=human", "--shipper-health-port=0"
    )
    eventually(lambda: "Health port" in process.stderr)

    assert process.terminate() == 0
    assert "Delivery:" not in process.stderr


def cpu_of(command: list[str], home: Path) -> float:
    """Return the CPU seconds of the cheapest of some runs; others on the machine make the rest dearer."""
    # Without coverage, which would cost more than the probe.
    environment = {k: v for k, v in clean_environment(home, {}).items() if not k.startswith("COVERAGE_")}

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, env=environment, capture_output=True, timeout=20, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(_TRIES))


@pytest.mark.parametrize("program", ["llm-proxy", "llm-loki-ship"])
def test_a_probe_costs_little(
    program: str, start: Start, fake_loki: FakeLoki, fake_provider: FakeProvider, tmp_path: Path
) -> None:
    _, proxy = start_proxy(start, tmp_path / "logs", fake_provider.url)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    ports = {"llm-proxy": ("--port", proxy), "llm-loki-ship": ("--shipper-health-port", shipper.url)}
    flag, url = ports[program]

    probing = command_line(program, "health", flag, url.rpartition(":")[2])

    nothing = cpu_of([sys.executable, "-c", ""], tmp_path)

    assert cpu_of(probing, tmp_path) < MOST_TIMES_NOTHING * nothing
