"""Fixtures for all tests."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.fakes.loki import FakeLoki
from tests.fakes.provider import FakeProvider
from tests.process import Running, running

# A busy machine makes one example slow: that says nothing of what is tested.
settings.register_profile("steady", deadline=None)
settings.register_profile("quick", deadline=None, max_examples=20)
settings.load_profile("steady")

# They need a Chromium, which a machine for tests may not have: they run when they are named.
TESTS = Path(__file__).parent
BROWSER = TESTS / "browser"
# What starts a process of the project's own, which takes a second.
PROCESSES = frozenset({"start", "serve", "served"})
# Folders whose tests are slow throughout: real processes, CloudFormation's schemas.
SLOW = (TESTS / "proxy" / "process", TESTS / "deploy")
# Through one of these a test meets the wall clock: Loki judges ages, and processes read it.
CLOCKED = PROCESSES | {"fake_loki", "loki", "rig", "flow", "house"}
# They take minutes, whatever the day, or run where nothing can be preloaded.
UNCLOCKED = frozenset({"test_load.py", "test_kills.py", "test_newcomer.py", "test_fuzz.py", "test_image.py"})


def _names_browser(config: pytest.Config) -> bool:
    return any(Path(each.partition("::")[0]).resolve().is_relative_to(BROWSER) for each in config.args)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the browser's tests out where they are not named."""
    return True if collection_path == BROWSER and not _names_browser(config) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make unit` leaves out, and what `make clocks` runs."""
    for item in items:
        if _is_of(item, PROCESSES) or any(item.path.is_relative_to(each) for each in SLOW):
            item.add_marker("slow")
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in {"e2e", "browser"}:
            item.add_marker(folder)
        if _is_of(item, CLOCKED) and item.path.name not in UNCLOCKED:
            item.add_marker("clocks")


def _is_of(item: pytest.Item, fixtures: frozenset[str]) -> bool:
    return isinstance(item, pytest.Function) and not fixtures.isdisjoint(item.fixturenames)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out."""
    asked = (Path(each.partition("::")[0]).resolve() for each in config.args)
    if any(BROWSER.is_relative_to(each) and each != BROWSER for each in asked):
        terminalreporter.write_line("left out: tests/browser, which needs Chromium; make browser runs it")


@pytest.fixture
def fake_provider() -> Iterator[FakeProvider]:
    """A provider of the test's own."""
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def fake_loki() -> Iterator[FakeLoki]:
    """A Loki of the test's own, with Loki's default limits."""
    with FakeLoki() as loki:
        yield loki


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """``start("llm-proxy", "serve", env={...})``: a real process that ends with the test.

    Its HOME and working folder is ``tmp_path / "home"``.
    """
    home = tmp_path / "home"
    home.mkdir()
    with contextlib.ExitStack() as processes:

        def begin(command: str, *args: str, **more: Any) -> Running:
            return processes.enter_context(running(command, *args, **{"home": home, **more}))

        yield begin
