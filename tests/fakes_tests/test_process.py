"""The harness that starts real processes."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.provider import FakeProvider
from tests.process import EndedError, Running, clean_environment, eventually, free_port

Start = Callable[..., Running]


def test_a_process_tells_where_it_listens_and_ends_on_sigterm(start: Start) -> None:
    provider = start("fake-provider", "--port", "0")
    assert provider.wait_for_line("listening on ").startswith("http://127.0.0.1:")
    assert provider.terminate() == 0


def test_a_taken_port_is_one_line_and_exit_1(start: Start, fake_provider: FakeProvider) -> None:
    provider = start("fake-provider", "--port", str(fake_provider.port))
    assert provider.wait() == 1
    assert provider.stderr == (
        f"fake provider: cannot listen on 127.0.0.1:{fake_provider.port}: Address already in use"
    )


def test_waiting_for_a_process_that_ended_fails_at_once(start: Start, fake_provider: FakeProvider) -> None:
    provider = start("fake-provider", "--port", str(fake_provider.port))
    with pytest.raises(EndedError, match="Address already in use"):
        provider.wait_for("proxy.listening")


def test_a_killed_process_is_reaped(start: Start) -> None:
    provider = start("fake-provider")
    assert provider.kill() == -signal.SIGKILL
    assert not provider.alive


def test_settings_of_the_developer_do_not_leak_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("LLM_PROXY_PORT", "HTTPS_PROXY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "1")
    made = clean_environment(tmp_path, {"LLM_PROXY_HOST": "127.0.0.1"})
    assert made["HOME"] == str(tmp_path)
    assert made["LLM_PROXY_HOST"] == "127.0.0.1"
    assert not made.keys() & {"LLM_PROXY_PORT", "HTTPS_PROXY", "ANTHROPIC_API_KEY"}


def test_eventually_tells_the_last_value() -> None:
    with pytest.raises(AssertionError, match="the answer; last: 0"):
        eventually(lambda: 0, deadline=0.05, what="the answer")


def test_eventually_takes_an_exception_for_not_yet() -> None:
    values = iter([0, 1])
    assert eventually(lambda: 1 // next(values)) == 1


def test_a_free_port_can_be_bound() -> None:
    port = free_port()
    with FakeProvider(port=port) as provider:
        assert provider.port == port
