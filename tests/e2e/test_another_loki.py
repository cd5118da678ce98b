"""A checkpoint that belongs to another Loki, and files that are sent anew on purpose."""

from pathlib import Path

from tests.e2e.oracle import wait_until_settled
from tests.e2e.stack import Start, all_arrived, copying_loki, start_shipper
from tests.e2e.writer import Session
from tests.fakes.loki import FakeLoki


def test_a_new_loki_is_told_and_gets_all_files_by_resend(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    session = Session(logs)
    session.append_many(5)
    session.append(600_000)
    shipper = start_shipper(start, logs, fake_loki.push_url)
    wait_until_settled(shipper, [session], fake_loki)
    assert shipper.process.terminate() == 0
    with copying_loki() as new:
        flags = (f"--log-dir={logs}", "--loki-enabled", f"--loki-url={new.push_url}")
        checked = start("llm-loki-ship", "check", *flags)
        checked.wait()
        assert any(f"{fake_loki.push_url} until now" in line for line in checked.stdout)
        new.forget(lambda _: True)
        shipper = start_shipper(start, logs, new.push_url)
        told = shipper.process.wait_for("checkpoint.other_loki")
        assert fake_loki.push_url in told["message"]
        assert "llm-loki-ship resend" in told["message"]

        sent = start("llm-loki-ship", "resend", "--since=1d", *flags)

        assert sent.wait() == 0
        account = wait_until_settled(shipper, [session], new)
        assert account.copies == 0
    assert not all_arrived(fake_loki, tmp_path)


def test_a_line_above_the_burst_of_loki_arrives_in_parts(start: Start, tmp_path: Path) -> None:
    session = Session(tmp_path / "logs")
    session.append(200_000)
    session.append_many(3)
    with copying_loki(ingestion_burst_size_mb=0.1) as loki:
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url)

        account = wait_until_settled(shipper, [session], loki, deadline=60)

        assert not account.rejected
        assert shipper.health["status"] == "ok"
