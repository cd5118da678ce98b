import ctypes
from types import SimpleNamespace

import pytest

from shipper.commands.run.memory import Trimmer


@pytest.fixture
def trims(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    made: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace(malloc_trim=made.append))
    return made


def test_what_was_freed_goes_back_twice_a_second_while_there_is_work(trims: list[int]) -> None:
    trimmer = Trimmer()

    for tick in range(100):
        trimmer.trim(done=tick + 1, now=100 + tick / 4)

    assert len(trims) == 50


def test_nothing_is_looked_for_while_nothing_is_done(trims: list[int]) -> None:
    trimmer = Trimmer()
    trimmer.trim(done=7, now=100.0)

    trimmer.trim(done=7, now=200.0)

    assert len(trims) == 1


def test_a_system_without_glibc_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())

    Trimmer().trim(done=1, now=100.0)
