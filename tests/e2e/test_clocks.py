"""A shipper whose clock is wrong: a line keeps its own time, and Loki's clock tells what is too new."""

from datetime import datetime
from functools import partial
from pathlib import Path

import pytest

from tests import clock
from tests.e2e.namespace import without_file_events
from tests.e2e.shifted import WrongClock
from tests.e2e.stack import Start, get, start_shipper
from tests.e2e.writer import Session, now_ns
from tests.fakes.loki import FakeLoki
from tests.process import eventually

_HOUR = 3600
_DAY = 24 * _HOUR


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.mark.parametrize("behind", [3 * _HOUR, 10 * _DAY], ids=["three hours", "ten days"])
def test_with_a_clock_that_is_behind_lines_keep_their_own_times(
    start: Start, fake_loki: FakeLoki, logs: Path, tmp_path: Path, behind: int
) -> None:
    session = Session(logs)
    stamps = [now_ns() + number for number in range(5)]
    for each in stamps:
        session.append(ts=each)
    shipper = start_shipper(start, logs, fake_loki.push_url, env=WrongClock(tmp_path, -behind).env)
    eventually(lambda: shipper.delivered(5))

    assert sorted(each.ts for each in fake_loki.entries()) == stamps
    told = shipper.process.wait_for("loki.clock_wrong")
    assert "behind Loki's" in told["message"]
    assert shipper.health["clock_behind_seconds"] == pytest.approx(behind, abs=5)
    assert shipper.health["status"] == "ok"
    assert shipper.health["entries_dropped"] == 0


def test_lines_too_new_for_loki_wait_and_are_an_error(start: Start, fake_loki: FakeLoki, logs: Path) -> None:
    session = Session(logs)
    session.append_many(2)
    ahead = now_ns() + 30 * 60 * clock.SECOND
    session.append(ts=ahead)
    shipper = start_shipper(start, logs, fake_loki.push_url, "--shipper-shutdown-timeout=1s")
    eventually(lambda: shipper.health["entries_sent"] == 2)
    told = shipper.process.wait_for("loki.delivery_failing")

    assert told["message"].startswith("Lines are ahead of Loki's clock: a line is stamped ")
    assert "NTP" in told["advice"]
    health = shipper.health
    assert (health["status"], health["entries_dropped"]) == ("error", 0)
    assert str(session.path) in health["last_error"]
    assert get(f"{shipper.url}/readyz")[0] == 503
    assert shipper.process.terminate() == 3


def test_an_audit_on_a_clock_that_is_behind_finds_every_line(
    start: Start, fake_loki: FakeLoki, logs: Path, tmp_path: Path
) -> None:
    session, env = Session(logs), WrongClock(tmp_path, -3 * _HOUR).env
    session.append_many(5)
    shipper = start_shipper(start, logs, fake_loki.push_url, "--shipper-audit=1s", env=env)
    eventually(lambda: shipper.delivered(5))
    eventually(lambda: _seconds(shipper.health["read_back_until"]) > now_ns() / 1e9 - _HOUR)
    assert fake_loki.forget(lambda line: '"seq":3' in line) == 1
    shipper.process.wait_for("audit.entry_forgotten")
    eventually(lambda: len(fake_loki.lines()) == 5)

    assert sum(each.copies for each in fake_loki.entries()) == 5
    arguments = [f"--log-dir={logs}", f"--loki-url={fake_loki.push_url}"]
    audited = start("llm-loki-ship", "audit", "--all", *arguments, env=env)
    assert audited.wait() == 0, audited.stdout


def _seconds(told: str | None) -> float:
    return datetime.fromisoformat(told).timestamp() if told else 0.0


def test_a_clock_that_jumps_by_two_days_makes_no_copies(
    start: Start, fake_loki: FakeLoki, logs: Path, tmp_path: Path
) -> None:
    wrong = WrongClock(tmp_path)
    session = Session(logs)
    session.append_many(5)
    shipper = start_shipper(start, logs, fake_loki.push_url, env=wrong.env, under=without_file_events())
    eventually(lambda: shipper.delivered(5))
    away = tmp_path / "away.jsonl"
    session.path.rename(away)
    # Without file events, a new file is found by the look that misses the other one.
    for number, jump in enumerate((0, 2 * _DAY, 2 * _DAY)):
        wrong.jump(jump)
        Session(logs, seed=number + 2).append()
        eventually(partial(shipper.delivered, 6 + number))
    home, session.path = session.path, away
    session.append_many(5)
    away.rename(home)
    eventually(lambda: shipper.delivered(13))

    assert sum(each.copies for each in fake_loki.entries()) == 13
