"""``llm-proxy status``: in one word, in figures, and for scripts."""

import json
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from proxy.commands.status import Standing, as_json, shown, standing_of
from proxy.recording.worker import MISSED_BODIES
from proxy.telemetry.health import Snapshot, report_of
from proxy.telemetry.metrics import Metrics
from proxy.telemetry.prometheus import exposition
from tests.process import clean_environment, command_line, eventually, free_port
from tests.proxy.served import Served, ask

URL = "http://127.0.0.1:12071"


def standing(metrics: Metrics | None = None, **more: Any) -> Standing:
    omitted = tuple((reason, more.pop(reason, 0)) for reason in MISSED_BODIES)
    snapshot = Snapshot("1.2.3", more.pop("uptime", 7.0), metrics or Metrics(), omitted=omitted, **more)
    health = json.loads(json.dumps(report_of(snapshot)))
    return standing_of(URL, health, (200, exposition(snapshot).decode()))


def busy() -> Standing:
    metrics = Metrics(calls=1234)
    statuses = list(dict.fromkeys(status for _, status in metrics.requests))
    for provider, status in metrics.requests:
        metrics.requests[provider, status] = (statuses.index(status) + 1) * 1000
    for kind in metrics.failures:
        metrics.failures[kind] = 1_000_000
    for each in (0.0003, 0.0003, 0.0003, 0.02):
        metrics.added.observe(each)
    return standing(
        metrics,
        uptime=93784.0,
        running=3,
        streams=2,
        sessions=17,
        records_written=2485,
        queue_bytes=3 << 20,
        free_bytes=41 << 30,
        last_error="No space left on device",
    )


def printed(told: Standing, width: int = 200, *, coloured: bool = False) -> str:
    console = Console(width=width, force_terminal=coloured, color_system="standard" if coloured else None)
    with console.capture() as capture:
        console.print(shown(told), highlight=False)
    return capture.get().replace("\u00a0", " ")


def line(told: Standing, label: str) -> str:
    rows = [each.strip() for each in printed(told).splitlines()]
    (found,) = [each for each in rows if each.startswith(label)]
    return found.removeprefix(label).strip()


def test_a_running_proxy_tells_figures() -> None:
    told = busy()

    assert line(told, "● running") == "llm-proxy 1.2.3, up 1 d 2 h"
    assert line(told, "address") == URL
    assert line(told, "calls") == "1,234, 3 run now, 2 of them answer"
    assert line(told, "anthropic").split()[:6] == ["200", "1,000", "400", "2,000", "401", "3,000"]
    assert line(told, "adds") == "up to 0.5 ms to half of the calls, up to 25 ms to 95 %"
    assert line(told, "records") == "2,485 written, 0 missing, 0 without their body"
    assert line(told, "queue") == "3 MiB to write"
    assert line(told, "free disk") == "41 GiB"
    assert line(told, "last error") == "No space left on device"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    for told in (busy(), standing(), standing_of(URL, {}, (0, ""))):
        assert max(map(len, printed(told, width).splitlines())) <= width


def test_at_the_start_there_is_nothing_to_tell_of_calls() -> None:
    text = printed(standing())

    assert "anthropic" not in text
    assert "failed" not in text
    assert "adds" not in text
    assert line(standing(), "last error") == "none"


def test_calls_slower_than_all_bounds_are_said_to_be() -> None:
    metrics = Metrics()
    metrics.added.observe(7.0)

    assert (
        line(standing(metrics), "adds") == "more than 1000 ms to half of the calls, more than 1000 ms to 95 %"
    )


def test_what_is_wrong_is_coloured() -> None:
    def colour(told: Standing, label: str) -> str:
        rows = printed(told, coloured=True).splitlines()
        (found,) = [each for each in rows if label in each]
        return {"\x1b[31m": "red", "\x1b[33m": "yellow", "\x1b[32m": "green"}.get(
            next((code for code in ("\x1b[31m", "\x1b[33m", "\x1b[32m") if code in found), ""), ""
        )

    assert colour(standing(), "running") == "green"
    assert colour(standing(failing=True, last_error="why"), "failing") == "red"
    assert colour(standing(), "records") == ""
    assert colour(standing(records_missing=1), "records") == "red"
    assert colour(standing(low_disk=1), "records") == "yellow"


def test_a_log_that_cannot_be_written_is_the_word() -> None:
    told = standing(failing=True, last_error="Read-only file system")

    assert (told.state, told.reason) == ("failing", "the log cannot be written: Read-only file system")
    assert told.reason in printed(told)


def test_where_metrics_are_not_shown_the_rest_is_told() -> None:
    told = standing_of(URL, report_of(Snapshot("1", 7.0, Metrics(calls=5))), (403, "not served"))

    assert told.state == "running"
    assert line(told, "calls") == "5, 0 run now"


@pytest.mark.parametrize("health", [None, [], "ok", {"status": "ok"}])
def test_another_program_is_told_apart(health: Any) -> None:
    told = standing_of(URL, health, (200, ""))

    assert told.state == "foreign"
    assert printed(told).split() == ["●", "foreign", *f"what answers at {URL} is not llm-proxy".split()]


def test_scripts_get_all_of_it() -> None:
    told = as_json(busy())

    assert (told["state"], told["url"], told["reason"]) == ("running", URL, None)
    assert told["requests"]["openai"]["429"] > 0
    assert (told["streams_running"], told["records_written"], told["free_bytes"]) == (2, 2485, 41 << 30)


def run(tmp_path: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line("llm-proxy", "status", *args),
        env=clean_environment(tmp_path, {"NO_COLOR": "1"}),
        cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip


def test_the_command_asks_the_running_proxy(served: Served, tmp_path: Path) -> None:
    ask(served.port, f"/gemini/{served.upstream}/v1/models", method="GET")
    eventually(lambda: served.health()["queue_bytes"] == 0)

    person = run(tmp_path, "--port", str(served.port))
    script = run(tmp_path, "--port", str(served.port), "--json")

    assert (person.returncode, script.returncode) == (0, 0)
    assert person.stdout.startswith("● running  llm-proxy 0.1.0, up ")
    assert "    gemini " in person.stdout
    assert "\x1b" not in person.stdout
    assert sum(json.loads(script.stdout)["requests"]["gemini"].values()) >= 1


@pytest.mark.slow
def test_where_nothing_runs_it_says_what_to_do(tmp_path: Path) -> None:
    port = str(free_port())
    person = run(tmp_path, "--port", port)
    script = run(tmp_path, "--port", port, "--json")

    assert (person.returncode, script.returncode) == (1, 1)
    text = " ".join(person.stdout.split())
    assert (
        text
        == f"● stopped nothing answers at 127.0.0.1:{port}: Connection refused; start it with llm-proxy serve"
    )
    assert json.loads(script.stdout)["state"] == "stopped"


def test_what_speaks_no_http_is_told_in_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        asking = subprocess.Popen(
            command_line("llm-proxy", "status", f"--port={port}"),
            env=clean_environment(tmp_path, {}), cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        connection, _ = server.accept()
        connection.recv(1000)
        connection.sendall(b"hello\r\n")
        connection.close()
        told, _ = asking.communicate(timeout=20)

    assert asking.returncode == 1
    assert "what it answers is no HTTP" in " ".join(told.split())
