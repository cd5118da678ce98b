"""``llm-loki-ship audit``: what Loki said it has is read back from it."""

import json
import re
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.stack import Shipper, Start, start_shipper
from tests.e2e.writer import Session, now_ns
from tests.fakes.loki import FakeLoki
from tests.process import eventually

LONG = 600_000


def shipped(start: Start, loki: FakeLoki, tmp_path: Path, lines: int = 30) -> tuple[Shipper, Session]:
    """Ship a session of ordinary lines and one long one, and stop the shipper."""
    session = Session(tmp_path / "logs")
    session.append_many(lines - 1)
    session.append(LONG)
    shipper = start_shipper(start, tmp_path / "logs", loki.push_url)
    eventually(lambda: shipper.delivered(lines), 20.0, "all lines delivered")
    assert shipper.process.terminate() == 0
    return shipper, session


def audit(start: Start, loki: FakeLoki, tmp_path: Path, *args: str) -> tuple[int, dict[str, Any]]:
    """Run an audit and return its exit code and its JSON."""
    process = start(
        "llm-loki-ship",
        "audit",
        f"--log-dir={tmp_path / 'logs'}",
        f"--loki-url={loki.push_url}",
        "--json",
        *args,
    )
    code = process.wait()
    return code, json.loads("\n".join(process.stdout))


def found(told: dict[str, Any], kind: str) -> list[tuple[int, int]]:
    """Return the lines of the findings of one kind."""
    return [(each["first"], each["last"]) for each in told["findings"] if each["kind"] == kind]


def test_an_audit_agrees_where_loki_has_every_line(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    _, session = shipped(start, fake_loki, tmp_path)

    code, told = audit(start, fake_loki, tmp_path, session.name)

    assert (code, told["agree"], told["findings"]) == (0, True, [])
    assert all(each["agree"] for each in told["windows"])
    whole = [each for each in told["windows"] if each["stream"]["log_type"] != "part"]
    assert sum(each["files"]["lines"] for each in whole) == 30
    assert whole[0]["loki"]["hash"] == whole[0]["files"]["hash"]


def test_forgotten_lines_are_named_and_a_repair_sends_them_again(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    shipped(start, fake_loki, tmp_path)
    forgotten = fake_loki.forget(lambda line: re.search(r'"seq":(5|6|7|20)[,}]', line) is not None)
    assert forgotten == 4
    part = next(each for each in fake_loki.lines() if '"part":1' in each)
    assert fake_loki.forget(lambda line: line == part) == 1

    code, told = audit(start, fake_loki, tmp_path)
    assert code == 1
    assert found(told, "missing") == [(5, 7), (20, 20), (30, 30)]
    assert told["totals"]["missing"] == 5

    code, told = audit(start, fake_loki, tmp_path, "--repair")
    assert (code, told["repaired"], told["agree"]) == (0, 5, True)
    assert audit(start, fake_loki, tmp_path, "--all")[0] == 0


def test_cut_doubled_and_foreign_lines_are_named(start: Start, fake_loki: FakeLoki, tmp_path: Path) -> None:
    fake_loki.limit(max_line_size=2000, max_line_size_truncate=True)
    session = Session(tmp_path / "logs")
    for size in (600, 5000, 600, 600, 600, 600):
        session.append(size)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    eventually(lambda: shipper.delivered(6), 20.0, "all lines delivered")
    assert shipper.process.terminate() == 0
    third = next(each for each in fake_loki.entries() if '"seq":3' in each.line)
    labels = {name: value for name, value in third.labels.items() if name != "service_name"}
    metadata = {name: value for name, value in third.metadata.items() if name != "detected_level"}
    values = [
        [str(third.ts), third.line, metadata],
        [str(third.ts + 1), "from elsewhere", {**metadata, "offset": "77"}],
    ]
    pushed = httpx.post(fake_loki.push_url, json={"streams": [{"stream": labels, "values": values}]})
    assert pushed.status_code == 204

    code, told = audit(start, fake_loki, tmp_path)

    assert code == 1
    assert found(told, "cut") == [(2, 2)]
    assert found(told, "doubled") == [(3, 3)]
    assert [each["start"] for each in told["findings"] if each["kind"] == "foreign"] == [77]
    assert not found(told, "missing")


def test_lines_that_were_rejected_or_not_shipped_are_told_apart_from_missing_ones(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    old = now_ns() - 8 * 24 * 3600 * 10**9
    session = Session(tmp_path / "logs", begun=old)
    for number in range(3):
        session.append(ts=old + number)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    eventually(lambda: shipper.health["entries_dropped"] == 3, 20.0, "all lines rejected")
    assert shipper.process.terminate() == 0
    session.append()

    code, told = audit(start, fake_loki, tmp_path)

    assert code == 1
    assert found(told, "rejected") == [(1, 3)]
    assert found(told, "waiting") == [(4, 4)]


def test_an_audit_without_a_loki_fails_in_one_line(start: Start, tmp_path: Path) -> None:
    session = Session(tmp_path / "logs")
    session.append()
    process = start(
        "llm-loki-ship",
        "audit",
        f"--log-dir={tmp_path / 'logs'}",
        "--loki-url=http://127.0.0.1:9/loki/api/v1/push",
    )
    assert process.wait() == 1
    assert process.stderr.startswith("llm-loki-ship: cannot reach Loki")


def test_a_running_shipper_reads_back_and_sends_again_what_loki_forgot(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    session.append_many(30)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url, "--shipper-audit=1s")
    eventually(lambda: shipper.delivered(30), 20.0, "all lines delivered")
    written = {each.line for each in fake_loki.entries()}
    eventually(lambda: shipper.health["read_back_until"], 20.0, "a first audit")

    assert fake_loki.forget(lambda line: re.search(r'"seq":(5|6|7|20)[,}]', line) is not None) == 4

    forgotten = shipper.process.wait_for("audit.entry_forgotten", 20.0)
    assert forgotten["level"] == "error"
    eventually(lambda: set(fake_loki.lines()) == written, 20.0, "every line in Loki again")
    eventually(lambda: shipper.health["status"] == "ok", 20.0, "ok again")
    health = shipper.health
    assert (health["entries_forgotten"], health["entries_restored"]) == (4, 4)
    failing = shipper.process.wait_for("loki.delivery_failing")
    assert failing["message"].startswith("Loki has forgotten lines")


def test_retention_keeps_a_file_until_it_was_read_back(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    kept, gone = Session(tmp_path / "logs", seed=1), Session(tmp_path / "logs", seed=2)
    for each in (kept, gone):
        each.append_many(5)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url, "--shipper-audit=")
    eventually(lambda: shipper.delivered(10), 20.0, "all lines delivered")
    assert shipper.process.terminate() == 0
    fake_loki.limit(max_line_size=10)
    assert fake_loki.forget(lambda line: kept.name in line) == 5

    start_shipper(
        start, tmp_path / "logs", fake_loki.push_url, "--shipper-audit=1s", "--shipper-retention=100ms"
    )

    trash = tmp_path / "logs" / ".trash"
    eventually(lambda: list(trash.rglob(f"{gone.name}.jsonl")), 20.0, "the file that Loki has in the trash")
    assert kept.path.exists()
