"""Processes with few descriptors, and with a log that nobody reads."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stack import Start, get, get_json, start_shipper, wait_until_all_arrived
from tests.e2e.writer import Session
from tests.fakes.loki import FakeLoki
from tests.process import Running, eventually, free_port


def test_with_few_descriptors_all_is_delivered(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    sessions = [Session(logs, seed=seed) for seed in range(100)]
    for each in sessions:
        each.append_many(2)
    few = ["sh", "-c", 'ulimit -n 64 && exec "$@"', "sh"]
    shipper = start_shipper(start, logs, fake_loki.push_url, under=few)

    wait_until_all_arrived(fake_loki, logs, 60)
    assert eventually(lambda: shipper.health["status"] == "ok")


@pytest.fixture
def unread(tmp_path: Path) -> Iterator[Path]:
    """A pipe that is full and that nobody reads."""
    path = tmp_path / "unread"
    os.mkfifo(path)
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        while True:
            os.write(pipe, bytes(4096))
    except BlockingIOError:
        yield path
    os.close(pipe)


@pytest.mark.parametrize("stderr", ["unread", "/dev/full", "&-"])
def test_a_log_that_nobody_reads_holds_up_nothing(
    start: Start, fake_loki: FakeLoki, tmp_path: Path, unread: Path, stderr: str
) -> None:
    logs, port = tmp_path / "logs", free_port()
    Session(logs, seed=1).append_many(5)
    run = _shipper(start, logs, fake_loki.push_url, port, f"{unread if stderr == 'unread' else stderr}")
    url = f"http://127.0.0.1:{port}"
    eventually(lambda: get_json(f"{url}/health/loki")["entries_sent"] == 5)

    assert get(f"{url}/livez")[0] == 200
    assert run.terminate() == 0


def _shipper(start: Start, logs: Path, url: str, port: int, stderr: str) -> Running:
    return start(
        "llm-loki-ship",
        "run",
        f"--log-dir={logs}",
        "--loki-enabled",
        f"--loki-url={url}",
        "--loki-batch-wait=200ms",
        f"--shipper-health-port={port}",
        under=["sh", "-c", f'exec "$@" 2>{stderr}', "sh"],
    )


def test_a_hangup_reads_the_token_again(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    logs, token = tmp_path / "logs", tmp_path / "token"
    session = Session(logs, seed=1)
    session.append_many(2)
    token.write_text("old")
    shipper = start_shipper(start, logs, fake_loki.push_url, f"--loki-auth-token-file={token}")
    eventually(lambda: shipper.delivered(2))
    token.write_text("new")
    shipper.process.signal(signal.SIGHUP)
    enabled = "shipper.export_enabled"
    eventually(lambda: [each.get("event") for each in shipper.process.events].count(enabled) == 2)
    session.append_many(2)
    eventually(lambda: shipper.delivered(4))

    sent = [dict(each.headers) for each in fake_loki.pushes]
    tokens = [each.get("authorization") or each.get("Authorization") for each in sent]
    assert (tokens[0], tokens[-1]) == ("Bearer old", "Bearer new")
    assert shipper.process.alive
