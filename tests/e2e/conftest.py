"""Fixtures for the end-to-end tests."""

from collections.abc import Iterator

import pytest

from tests.e2e.stack import copying_loki
from tests.fakes.loki import FakeLoki


@pytest.fixture
def fake_loki() -> Iterator[FakeLoki]:
    """A Loki with its default limits that keeps every copy it is sent."""
    with copying_loki() as loki:
        yield loki
