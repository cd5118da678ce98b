"""A provider, and a real proxy in front of it."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.provider import FakeProvider
from tests.process import running
from tests.proxy.served import Served


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("proxy")
    with FakeProvider() as provider, _serving(home, provider) as served:
        yield served


@pytest.fixture
def served(_shared: Served) -> Iterator[Served]:
    """A proxy that tests share, as each start costs a second; the provider remembers nothing."""
    _shared.provider.clear()
    yield _shared
    assert _shared.health()["status"] == "ok"
    assert not [each for each in _shared.process.events if "exception" in each or "Traceback" in each["text"]]


@pytest.fixture
def serve(tmp_path: Path, fake_provider: FakeProvider) -> Iterator[Callable[..., Served]]:
    """``serve("--grace", "1s")``: a proxy of the test's own, before a provider of its own."""
    with contextlib.ExitStack() as started:

        def begin(*args: str, under: Sequence[str] = (), **env: str) -> Served:
            return started.enter_context(_serving(tmp_path, fake_provider, *args, under=under, **env))

        yield begin


@contextlib.contextmanager
def _serving(
    home: Path, provider: FakeProvider, *args: str, under: Sequence[str] = (), **env: str
) -> Iterator[Served]:
    settings: dict[str, Any] = {
        "--port": "0",
        "--log-dir": str(home / "logs"),
        "--upstreams": f"127.0.0.1:{provider.port},127.0.0.1:1",
        "--min-free": "0",
    }
    flags = [word for pair in settings.items() for word in pair]
    with running("llm-proxy", "serve", *flags, *args, home=home, env=env, under=under) as process:
        yield Served(process, provider, home / "logs")
        if process.alive:
            process.wait_for("proxy.listening")
            assert process.terminate() == 0
