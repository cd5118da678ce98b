"""``make demo``, as a user sees it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.loki import FakeLoki
from tests.process import Running, free_port

Start = Callable[..., Running]


@pytest.fixture
def demo(start: Start, tmp_path: Path) -> Callable[..., Running]:
    folder = tmp_path / "tmp"
    folder.mkdir()

    def begin(*args: str, **env: str) -> Running:
        return start("demo", *args, env={"TMPDIR": str(folder), **env})

    return begin


def stay_up(demo: Running) -> str:
    """Wait until the demo has shown all, and return its output."""
    demo.wait_for_line("Ctrl-C ends it.")
    return "\n".join(demo.stdout)


def test_it_shows_what_was_written_and_what_arrived(demo: Callable[..., Running]) -> None:
    running = demo("--once")
    assert running.wait() == 0
    shown = "\n".join(running.stdout)
    assert "14 lines in the files, 14 delivered" in shown
    for kind, count in (("session_start", 1), ("request", 2), ("response", 2)):
        assert f"  {'anthropic':<12}{kind:<16}{count:>7}" in running.stdout
    assert "Conversations appear on http://127.0.0.1:" in shown
    for told in (
        "1 session_start, 2 request, 2 response",
        "provider=anthropic",
        "tools=get_weather",
        '"tool_use"',
    ):
        assert told in shown
    assert running.stderr == ""


def test_it_stays_up_until_ctrl_c_and_leaves_nothing_running(demo: Callable[..., Running]) -> None:
    running = demo()
    assert "ANTHROPIC_BASE_URL=http://127.0.0.1:" in stay_up(running)
    assert len(children_of(running.pid)) == 5
    end_by(signal.SIGINT, running)
    assert running.stdout[-1] == "Stopping"


def end_by(number: signal.Signals, demo: Running) -> None:
    """Let a signal end the demo, with all that it has started."""
    children = children_of(demo.pid)
    demo.signal(number)
    assert demo.wait() == 0
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def children_of(pid: int) -> list[int]:
    return [
        int(each)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for each in (task / "children").read_text().split()
    ]


def test_with_a_loki_url_it_ships_there_shows_no_secret_and_ends_with_its_terminal(
    demo: Callable[..., Running],
) -> None:
    with FakeLoki(bearer="s3cret", auth_enabled=True) as loki:
        secrets = {"LLM_PROXY_LOKI_AUTH_TOKEN": "s3cret", "LLM_PROXY_LOKI_TENANT_ID": "team"}
        running = demo(LLM_PROXY_LOKI_URL=loki.push_url, LLM_PROXY_LOKI_ENVIRONMENT="staging", **secrets)
        stay_up(running)
        assert len(children_of(running.pid)) == 4
        end_by(signal.SIGHUP, running)
        kept = loki.entries()
    assert [(each.tenant, each.labels["environment"]) for each in kept] == [("team", "staging")] * 14
    assert "s3cret" not in "\n".join(running.stdout) + running.stderr


def test_a_loki_that_is_not_there_is_one_clear_line(demo: Callable[..., Running]) -> None:
    url = f"http://user:s3cret@127.0.0.1:{free_port()}/loki/api/v1/push"
    running = demo("--once", LLM_PROXY_LOKI_URL=url)
    assert running.wait() == 1
    assert "no Loki answers at http://127.0.0.1:" in running.stdout[-1]
    assert "s3cret" not in running.stdout[-1]
    assert running.stderr == ""


def test_a_wrong_setting_is_one_clear_line(demo: Callable[..., Running]) -> None:
    running = demo("--once", LLM_PROXY_LOKI_BATCH_SIZE="many")
    assert running.wait() == 1
    assert "loki.batch_size" in running.stdout[-1]
    assert running.stderr == ""


def test_the_end_of_one_of_its_processes_is_told(demo: Callable[..., Running]) -> None:
    running = demo()
    stay_up(running)
    proxy = next(
        pid for pid in children_of(running.pid) if b"llm-proxy" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    os.kill(proxy, signal.SIGKILL)
    assert running.wait() == 1
    assert running.stdout[-1].startswith("The proxy ended")
