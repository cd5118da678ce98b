"""Whatever becomes of the state folder: a warning, perhaps copies, never a start refused or a line lost."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.namespace import small_disk
from tests.e2e.oracle import account_of, wait_until_settled
from tests.e2e.stack import Shipper, Start, start_shipper
from tests.e2e.writer import Session, now_ns
from tests.fakes.loki import FakeLoki
from tests.process import eventually

_DAY = 24 * 3600 * 10**9

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "torn": lambda data: data[: len(data) // 2],
    "zeroed": lambda data: bytes(len(data)),
    "of another version": lambda data: data.replace(b'"version":', b'"version":9'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_of_a_damaged_checkpoint_the_generation_before_takes_over(
    start: Start, fake_loki: FakeLoki, tmp_path: Path, damage: str
) -> None:
    session = Session(tmp_path / "logs")
    shipper = _run_twice(start, fake_loki, session, ["checkpoint.json"], DAMAGES[damage])

    account = wait_until_settled(shipper, [session], fake_loki)

    assert account.copies == 0
    assert shipper.health["status"] == "ok"


def test_with_both_generations_damaged_all_is_sent_again_and_nothing_is_lost(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    both = ["checkpoint.json", "checkpoint.previous.json"]
    shipper = _run_twice(start, fake_loki, session, both, DAMAGES["torn"])

    account = wait_until_settled(shipper, [session], fake_loki, untold_copies=10)

    assert account.copies <= account.lines


def _run_twice(
    start: Start, loki: FakeLoki, session: Session, names: list[str], damage: Callable[[bytes], bytes]
) -> Shipper:
    """Ship some lines, damage files of the state, write more lines, and return a second shipper."""
    logs = session.path.parents[2]
    session.append_many(5)
    shipper = start_shipper(start, logs, loki.push_url)
    wait_until_settled(shipper, [session], loki)
    eventually((shipper.state / "checkpoint.json").exists)
    session.append_many(5)
    wait_until_settled(shipper, [session], loki)
    assert shipper.process.terminate() == 0
    for name in names:
        path = shipper.state / name
        path.write_bytes(damage(path.read_bytes()))
    session.append_many(5)
    shipper = start_shipper(start, logs, loki.push_url)
    assert shipper.process.wait_for("checkpoint.unreadable")["level"] == "warning"
    return shipper


def test_a_state_folder_that_cannot_be_made_stops_nothing(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    session.append_many(5)
    for _ in range(2):
        shipper = start_shipper(
            start, tmp_path / "logs", fake_loki.push_url, "--shipper-state-dir=/dev/null/state"
        )
        session.append_many(5)
        wait_until_settled(shipper, [session], fake_loki, untold_copies=len(session.digests))
        assert shipper.process.wait_for("checkpoint.failed")["level"] == "warning"
        failing = shipper.process.wait_for("loki.delivery_failing")
        assert failing["message"].startswith("The state folder cannot be written")
        health = shipper.health
        assert (health["status"], health["state_folder_writable"]) == ("error", False)
        assert shipper.process.terminate() == 1


def test_a_state_folder_that_is_removed_is_made_again(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    session.append_many(5)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    wait_until_settled(shipper, [session], fake_loki)
    eventually((shipper.state / "checkpoint.json").exists)

    shutil.rmtree(shipper.state)
    session.append_many(5)

    wait_until_settled(shipper, [session], fake_loki)
    eventually((shipper.state / "checkpoint.json").exists)
    assert shipper.process.terminate() == 0
    session.append_many(5)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    assert wait_until_settled(shipper, [session], fake_loki).copies == 0


def test_a_full_disk_under_the_state_stops_nothing_and_costs_copies_at_most(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs, state = tmp_path / "logs", tmp_path / "state"
    session = Session(logs)
    session.append_many(5)
    state.mkdir()
    with small_disk(state, "1m") as disk:

        def run() -> Shipper:
            args = (start, logs, fake_loki.push_url, f"--shipper-state-dir={state}")
            return start_shipper(*args, state=disk.seen, under=disk.under)

        shipper = run()
        wait_until_settled(shipper, [session], fake_loki)
        eventually((disk.seen / "checkpoint.json").exists)
        disk.fill()
        session.append_many(5)
        wait_until_settled(shipper, [session], fake_loki)
        shipper.process.wait_for("checkpoint.failed")
        eventually(lambda: shipper.health["status"] == "error", what="the status of a full disk")

        shipper.process.kill()
        session.append_many(5)
        shipper = run()
        account = wait_until_settled(shipper, [session], fake_loki, untold_copies=10)

        disk.free()
        session.append_many(5)
        wait_until_settled(shipper, [session], fake_loki, untold_copies=10)
        assert shipper.process.terminate() == 0
        session.append_many(5)
        shipper = run()
        assert wait_until_settled(shipper, [session], fake_loki, untold_copies=10).copies == account.copies


def test_a_refusal_waits_until_it_can_be_listed(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    logs, state = tmp_path / "logs", tmp_path / "state"
    session = Session(logs)
    session.append_many(5)
    session.append(ts=now_ns() - 8 * _DAY)
    state.mkdir()
    with small_disk(state, "1m") as disk:
        disk.fill()
        shipper = start_shipper(
            start,
            logs,
            fake_loki.push_url,
            f"--shipper-state-dir={state}",
            under=disk.under,
            state=disk.seen,
        )
        eventually(lambda: "too old" in (shipper.health["last_error"] or ""), what="a refusal")
        eventually(lambda: len(fake_loki.entries()) == 5, what="all other lines")
        assert len(account_of([session], fake_loki, disk.seen).missing) == 1
        assert shipper.health["entries_dropped"] == 0

        disk.free()

        account = wait_until_settled(shipper, [session], fake_loki)
        assert account.rejected == {"too_old": 1}
