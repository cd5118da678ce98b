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
settings.load_profile("steady")


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
