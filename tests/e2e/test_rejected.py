"""What Loki refuses for good stands on a list, and goes through later."""

import json
from collections import Counter
from pathlib import Path

from tests import clock
from tests.e2e.stack import Start, get, start_shipper
from tests.e2e.writer import Session
from tests.fakes.loki import FakeLoki
from tests.process import eventually

# Older than Loki takes lines by default.
TOO_OLD = 20
SESSION = clock.session(10, clock.NOW - TOO_OLD * clock.DAY)


def write_lines(logs: Path, days_old: list[int]) -> Path:
    """Write one line for each age into one session's file."""
    day = logs / "api.anthropic.com" / clock.day(clock.NOW - TOO_OLD * clock.DAY)
    day.mkdir(parents=True)
    file = day / f"{SESSION}.jsonl"
    with file.open("w") as out:
        for number, days in enumerate(days_old):
            ts = clock.stamp(clock.NOW - days * clock.DAY + number * clock.SECOND)
            meta = {"ts": ts, "machine": "u@h", "session": SESSION}
            out.write(
                json.dumps({"type": "request", "_meta": meta, "provider": "anthropic", "seq": number}) + "\n"
            )
    return file


def test_lines_that_are_too_old_are_listed_counted_told_once_and_delivered_after_the_limit_is_raised(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    file = write_lines(logs, [TOO_OLD, TOO_OLD, TOO_OLD, 0, 0])
    shipper = start_shipper(start, logs, fake_loki.push_url)
    eventually(lambda: shipper.health["lag_bytes"] == 0 and shipper.health["entries_sent"] == 2)

    listed = [
        json.loads(row) for row in (logs / ".llm-loki-ship" / "rejected.jsonl").read_text().splitlines()
    ]
    assert Counter(row["reason"] for row in listed) == {"too_old": shipper.health["entries_dropped"]}
    lines = file.read_bytes().splitlines(keepends=True)
    assert [file.read_bytes()[row["start"] : row["end"]] for row in listed] == lines[:3]
    assert [event["event"] for event in shipper.process.events].count("loki.entry_rejected") == 1

    arguments = [f"--log-dir={logs}", f"--loki-url={fake_loki.push_url}"]
    shown = start("llm-loki-ship", "rejected", *arguments)
    assert shown.wait() == 1
    assert shown.stdout[0] == "too_old  3 entries in 1 file"
    assert "raise reject_old_samples_max_age" in " ".join(shown.stdout)
    still = start("llm-loki-ship", "rejected", "--retry", *arguments)
    assert still.wait() == 1
    assert still.stdout[-1] == "delivered: 0, still refused: 3"

    fake_loki.limit(reject_old_samples=False)
    again = start("llm-loki-ship", "rejected", "--retry", *arguments)
    assert again.wait() == 0
    assert again.stdout[-1] == "delivered: 3, still refused: 0"
    assert sorted(fake_loki.lines()) == sorted(file.read_text().splitlines())
    done = start("llm-loki-ship", "rejected", *arguments)
    assert done.wait() == 0
    assert done.stdout == ["Loki has refused nothing for good."]


def test_one_refused_line_is_an_error_until_it_went_through_or_is_accepted(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    write_lines(logs, [TOO_OLD, 0, 0])
    arguments = [f"--log-dir={logs}", f"--loki-url={fake_loki.push_url}"]
    once = start("llm-loki-ship", "run", "--once", "--loki-enabled", *arguments)
    assert once.wait() == 3
    told = once.wait_for("shipper.stopped")
    assert told["message"] == "Stopped; all but 1 rejected lines was delivered"

    shipper = start_shipper(start, logs, fake_loki.push_url)
    eventually(lambda: shipper.health["status"] == "error")
    assert shipper.health["last_error"] == "not in Loki, and not sent again: 1 too_old"
    assert shipper.health["rejected"] == 1
    assert get(f"{shipper.url}/readyz")[0] == 503

    accepted = start("llm-loki-ship", "rejected", "--accept", *arguments)
    assert (accepted.wait(), accepted.stdout) == (0, ["accepted as lost: 1"])
    eventually(lambda: shipper.health["status"] == "ok")
    assert start("llm-loki-ship", "rejected", *arguments).wait() == 0


def test_a_refused_line_whose_file_has_changed_is_not_sent(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    file = write_lines(logs, [TOO_OLD])
    shipper = start_shipper(start, logs, fake_loki.push_url)
    eventually(lambda: shipper.health["entries_dropped"] == 1)
    assert shipper.process.terminate() == 0
    file.write_text("x" * file.stat().st_size)

    fake_loki.limit(reject_old_samples=False)
    retried = start(
        "llm-loki-ship", "rejected", "--retry", f"--log-dir={logs}", f"--loki-url={fake_loki.push_url}"
    )

    assert retried.wait() == 1
    assert "its file no longer holds these bytes" in retried.stdout[0]
    assert fake_loki.lines() == []


def test_an_old_folder_is_set_aside_in_bulk_and_live_lines_are_delivered(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    old = write_lines(logs, [TOO_OLD] * 20_000)
    live = Session(logs)
    live.append_many(5)

    shipper = start_shipper(start, logs, fake_loki.push_url)

    eventually(lambda: len(fake_loki.lines()) == 5, what="the live lines")
    eventually(lambda: shipper.health["lag_bytes"] == 0, what="the old lines set aside")
    assert shipper.health["entries_dropped"] == 20_000
    assert len(fake_loki.pushes) < 50
    rows = [json.loads(row) for row in (logs / ".llm-loki-ship" / "rejected.jsonl").read_text().splitlines()]
    assert sum(row["lines"] for row in rows) == 20_000
    assert max(row["end"] for row in rows) == old.stat().st_size
    assert shipper.health["status"] == "error"
    assert shipper.process.terminate() == 0
    told = [event for event in shipper.process.events if event.get("event") == "loki.entry_rejected"]
    assert len(told) == 1
    audited = start(
        "llm-loki-ship", "audit", f"--log-dir={logs}", f"--loki-url={fake_loki.push_url}", "--json"
    )
    audited.wait(60.0)
    totals = json.loads("\n".join(audited.stdout))["totals"]
    assert (totals["rejected"], totals["missing"]) == (20_000, 0)

    fake_loki.limit(reject_old_samples=False)
    bulk = [row for row in rows if row["lines"] > 1][:2]
    (logs / ".llm-loki-ship" / "rejected.jsonl").write_text("".join(json.dumps(row) + "\n" for row in bulk))
    again = start(
        "llm-loki-ship", "rejected", "--retry", f"--log-dir={logs}", f"--loki-url={fake_loki.push_url}"
    )
    assert again.wait() == 0
    count = sum(row["lines"] for row in bulk)
    assert again.stdout[-1] == f"delivered: {count}, still refused: 0"
    lines = [old.read_bytes()[row["start"] : row["end"]].decode() for row in bulk]
    assert sorted(each for each in fake_loki.lines() if SESSION in each) == sorted(
        line for text in lines for line in text.splitlines()
    )
