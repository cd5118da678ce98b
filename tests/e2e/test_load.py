"""Long lines at Loki's default rates, an outage with more waiting than memory holds, and a long backlog."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.e2e.oracle import lines_counted, wait_until_settled
from tests.e2e.stack import Shipper, Start, copying_loki, start_shipper
from tests.e2e.writer import Session, Writer, coding_agent, now_ns, small, writing
from tests.fakes.loki import FakeLoki, Order
from tests.process import eventually

_MINUTES = int(os.environ.get("SOAK_MINUTES", "0"))
_MINUTE = 60 * 10**9
_HOUR = 60 * _MINUTE
_MB = 1024 * 1024
# An outage of half the soak, else one that is long enough to be noticed.
_OUTAGE = _MINUTES * 30.0
_WAITING_FILES = 50 if _MINUTES else 20
_PEAK = 192 * _MB
_AGENT_LINES = 400 if _MINUTES else 30


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("encoding", "limits"),
    [("json", {}), ("protobuf", {"shard_streams": False, "per_stream_rate_limit_burst": 3 * _MB})],
    ids=["default limits", "no sharding, 3 MB/s a stream"],
)
def test_a_coding_agents_log_arrives_and_comes_back_byte_for_byte(
    start: Start, tmp_path: Path, encoding: str, limits: dict[str, int]
) -> None:
    sessions = [Session(tmp_path / "logs", seed=seed) for seed in range(3)]
    rng = random.Random(7)  # noqa: S311 - the same log in every run
    for number in range(_AGENT_LINES):
        sessions[number % len(sessions)].append(coding_agent(rng))
    with copying_loki(**limits) as loki:
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url, f"--loki-encoding={encoding}")

        account = wait_until_settled(shipper, sessions, loki, deadline=30 + _AGENT_LINES)

        assert not account.rejected
        assert lines_counted(loki) == account.lines + account.copies
        assert peak_memory(shipper) < _PEAK
        for each in sessions:
            assert _fetched(start, loki, each) == each.path.read_bytes()


def _fetched(start: Start, loki: FakeLoki, session: Session) -> bytes:
    output = session.path.with_suffix(".fetched")
    process = start(
        "llm-loki-ship", "fetch", session.name, f"--loki-url={loki.push_url}", f"--output={output}"
    )
    assert process.wait(60) == 0
    return output.read_bytes()


@pytest.mark.timeout(7200)
def test_an_outage_with_more_waiting_than_fits_into_memory(start: Start, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    waiting = [Session(logs, seed=seed) for seed in range(_WAITING_FILES)]
    live = [Session(logs, machine="dev@live", seed=1000 + seed) for seed in range(4)]
    with copying_loki(ingestion_rate_mb=64.0, ingestion_burst_size_mb=128.0) as loki:
        shipper = start_shipper(start, logs, loki.push_url)
        live[0].append()
        wait_until_settled(shipper, live, loki)
        loki.down()
        away = time.monotonic()
        with writing(Writer(live, small, rate=300_000)):
            for each in waiting:
                each.append(5_000_000)
            eventually(lambda: shipper.health["status"] == "error", 30.0, "status error")
            eventually(lambda: time.monotonic() - away > _OUTAGE, _OUTAGE + 1)
            assert shipper.health["entries_dropped"] == 0
            assert peak_memory(shipper) < _PEAK
            loki.up()
            eventually(lambda: shipper.health["status"] == "ok", 30.0, "status ok")

        account = wait_until_settled(shipper, [*waiting, *live], loki, deadline=60 + _OUTAGE)

        assert account.copies == 0
        assert peak_memory(shipper) < _PEAK
        assert shipper.process.terminate() == 0


def peak_memory(shipper: Shipper) -> int:
    """Return the most memory that the process has had, in bytes."""
    status = Path(f"/proc/{shipper.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@pytest.mark.timeout(600)
def test_a_backlog_of_five_hours_a_late_file_and_new_lines_are_all_stored(
    start: Start, tmp_path: Path
) -> None:
    """Files whose lines interleave, one push failing for a while, lines three hours older than the newest."""
    logs, begun = tmp_path / "logs", now_ns() - 5 * _HOUR
    files = [Session(logs, seed=seed, begun=begun) for seed in range(6)]
    for minute in range(0, 300, 5):
        for place, each in enumerate(files):
            marked = "<marked>" if (minute, place) == (150, 3) else ""
            each.append(5000, ts=begun + minute * _MINUTE + place * 10**9, text=marked)
    live = Session(logs, seed=7)
    live_writer = Writer([live], small, rate=1_500_000)
    with copying_loki() as loki, writing(live_writer):
        loki.order(Order(status=503, body="no healthy upstream", times=0, containing="<marked>"))
        shipper = start_shipper(start, logs, loki.push_url)
        eventually(lambda: "503" in (shipper.health["last_error"] or ""), what="a push that fails")
        # While new lines succeed it is halved until one is alone, which waits 30 s before its last try.
        eventually(lambda: shipper.health["entries_failed"], 120, "retries used up")
        loki.clear_orders()
        eventually(lambda: shipper.health["entries_sent"] > 6 * 60, what="the backlog and new lines")

        late = Session(logs, seed=8, begun=begun)
        for minute in range(60, 120, 2):
            late.append(5000, ts=begun + minute * _MINUTE)
        # The entry that failed may have fallen behind its stream, too.
        eventually(lambda: shipper.health["entries_late"] >= len(late.digests), what="late lines")
        live_writer.stop()

        account = wait_until_settled(shipper, [*files, late, live], loki, deadline=90.0)

        assert not account.rejected
        # A 429 of the tenant is no verdict on an entry: it only says later.
        assert set(loki.state["discarded"].get("fake", ())) <= {"rate_limited"}
        assert lines_counted(loki) == account.lines + account.copies
