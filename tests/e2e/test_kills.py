"""The shipper killed again and again while four writers append: nothing lost, nothing twice."""

import os
import random
import time
from collections import Counter
from enum import StrEnum
from pathlib import Path

import pytest

from tests.e2e.notifier import Happening, Notifier
from tests.e2e.oracle import account_of, lines_counted, wait_until_settled
from tests.e2e.stack import Shipper, Start, copying_loki, session_files, start_shipper
from tests.e2e.writer import HOSTS, Session, Writer, writing
from tests.fakes.loki import FakeLoki, Order
from tests.process import eventually

# ``make soak`` gives minutes: half of them for kills, in rounds of a minute and a half with other seeds.
MINUTES = int(os.environ.get("SOAK_MINUTES", "0"))
SECONDS = 60.0 if MINUTES else 8.0
ROUNDS = max(1, MINUTES // 3)
_WRITERS = 4
# A rate that Loki takes with the shipper at work half of the time.
_WRITER_RATE = 1_000_000.0
_LARGEST = 5_000_000
_PATIENCE = 20.0


class Aim(StrEnum):
    """Between which two steps a kill is to fall."""

    ANYWHERE = "anywhere"
    PUSH_IN_FLIGHT = "push_in_flight"
    PUSH_ACCEPTED = "push_accepted"
    BEFORE_RENAME = "before_rename"
    AFTER_RENAME = "after_rename"


def sizes(rng: random.Random) -> int:
    return int(300 * (_LARGEST / 300) ** rng.random() ** 2)


class Killer:
    """Kills the shipper of one state folder where it is aimed at."""

    def __init__(self, loki: FakeLoki, state: Path, seed: int) -> None:
        self._loki = loki
        self._state = state
        self._rng = random.Random(seed)  # noqa: S311 - the same aims for the same seed

    def next_aim(self, hits: Counter[Aim]) -> Aim:
        """Choose among those that were hit least."""
        fewest = min(hits[aim] for aim in Aim)
        return self._rng.choice([aim for aim in Aim if hits[aim] == fewest])

    def kill(self, shipper: Shipper, aim: Aim) -> bool:
        """Kill a shipper, and tell whether that was where it was aimed at."""
        eventually(self._state.exists)
        match aim:
            case Aim.PUSH_IN_FLIGHT:
                return self._amid_push(shipper, Order(fault="hang"))
            case Aim.PUSH_ACCEPTED:
                return self._amid_push(shipper, Order(fault="hang", stored=True))
            case Aim.BEFORE_RENAME:
                return self._at_rename(shipper, Happening.CREATED, "checkpoint.tmp")
            case Aim.AFTER_RENAME:
                return self._at_rename(shipper, Happening.MOVED_HERE, "checkpoint.json")
        return self._anywhere(shipper)

    def _anywhere(self, shipper: Shipper) -> bool:
        more = self._rng.random() * _WRITERS * _WRITER_RATE
        before = size_of(self._state.parent)
        eventually(lambda: size_of(self._state.parent) > before + more, what="a second of writing, or less")
        shipper.process.kill()
        return True

    def _amid_push(self, shipper: Shipper, order: Order) -> bool:
        """Kill it when Loki has the next push and has not answered it."""
        self._hold_a_push(order)
        shipper.process.kill()
        return True

    def _hold_a_push(self, order: Order) -> None:
        before = self._unanswered()
        self._loki.order(order)
        eventually(lambda: self._unanswered() > before, what="a push without an answer")

    def _unanswered(self) -> int:
        return sum(push.status == 0 for push in self._loki.pushes)

    def _at_rename(self, shipper: Shipper, happening: Happening, name: str) -> bool:
        """Kill it at the kernel's word, with a push under way that Loki does not store.

        The temporary file that is left tells on which side of the rename that was.
        """
        self._hold_a_push(Order(fault="hang"))
        with Notifier(self._state) as notifier:
            hit = notifier.wait_for(happening, name, _PATIENCE)
            shipper.process.kill()
        renamed = not (self._state / "checkpoint.tmp").exists()
        return hit and renamed == (happening is Happening.MOVED_HERE)


def size_of(logs: Path) -> int:
    return sum(each.stat().st_size for each in session_files(logs))


def four_writers(logs: Path, seed: int) -> list[Writer]:
    """Return four writers, each with a session of every provider."""
    return [
        Writer(
            [
                Session(
                    logs, provider=provider, machine=f"dev@{number}", seed=100 * seed + 10 * number + each
                )
                for each, provider in enumerate(HOSTS)
            ],
            sizes,
            rate=_WRITER_RATE,
            seed=seed + number,
        )
        for number in range(_WRITERS)
    ]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nothing_is_lost_or_doubled_by_kills_at_any_moment(start: Start, tmp_path: Path, seed: int) -> None:
    logs = tmp_path / "logs"
    writers = four_writers(logs, seed)
    hits: Counter[Aim] = Counter()
    with copying_loki(ingestion_rate_mb=64.0, ingestion_burst_size_mb=128.0) as loki:
        killer = Killer(loki, logs / ".llm-loki-ship", seed)
        with writing(*writers):
            end = time.monotonic() + SECONDS
            while time.monotonic() < end or len(+hits) < len(Aim):
                shipper = start_shipper(start, logs, loki.push_url)
                aim = killer.next_aim(hits)
                hits[aim] += killer.kill(shipper, aim)
        loki.clear_orders()

        shipper = start_shipper(start, logs, loki.push_url)
        sessions = [session for each in writers for session in each.sessions]
        account = wait_until_settled(shipper, sessions, loki, deadline=40.0)

        assert account.copies == 0
        assert not account.rejected
        assert lines_counted(loki) == account.lines
        assert shipper.process.terminate() == 0


def test_no_checkpoint_runs_ahead_of_what_loki_has(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    held, other = Session(logs, machine="dev@held", seed=1), Session(logs, machine="dev@other", seed=2)
    shipper = start_shipper(start, logs, fake_loki.push_url)
    other.append_many(5)
    held.append_many(5)
    wait_until_settled(shipper, [held, other], fake_loki)
    fake_loki.order(Order(status=403, body="forbidden", times=0, containing=held.name))
    held.append_many(5)
    eventually(lambda: "403" in (shipper.health["last_error"] or ""), what="a push that is refused")

    with Notifier(shipper.state) as notifier:
        other.append_many(5)
        eventually(
            lambda: not account_of([other], fake_loki, shipper.state).missing, what="the other's lines"
        )
        assert notifier.wait_for(Happening.MOVED_HERE, "checkpoint.json", _PATIENCE)
    shipper.process.kill()
    fake_loki.clear_orders()

    shipper = start_shipper(start, logs, fake_loki.push_url)
    assert wait_until_settled(shipper, [held, other], fake_loki).copies == 0
