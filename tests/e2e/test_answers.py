"""Whatever Loki answers, and when it does not: every line arrives, and none twice that could be asked for."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.e2e.oracle import account_of, lines_counted, wait_until_settled
from tests.e2e.stack import Shipper, Start, copying_loki, get, get_json, start_shipper
from tests.e2e.writer import Session, Writer, now_ns, small, writing
from tests.fakes.loki import FakeLoki, Order
from tests.process import eventually, free_port

_HOUR = 3600 * 10**9
_DAY = 24 * _HOUR
_TENANT_LIMIT = "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting"
_STREAM_LIMIT = "Per stream rate limit exceeded (limit: 3MB/sec) while attempting to ingest for stream"
_TOO_LARGE = "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (2 vs. 1)"

TROUBLES = {
    "foreign 400": Order(status=400, body="<html>Bad Request</html>", times=4),
    "401": Order(status=401, body="no org id\n", times=4),
    "403": Order(status=403, body="forbidden", times=4),
    "404": Order(status=404, body="404 page not found\n", times=4),
    "408": Order(status=408, body="request timeout"),
    "413": Order(status=413, body="request body too large: 9 bytes, limit: 1 bytes", times=4),
    "429 of the tenant": Order(status=429, body=_TENANT_LIMIT, times=4),
    "429 of the stream": Order(status=429, body=_STREAM_LIMIT, times=4),
    "429 of the stream, half taken": Order(status=429, body=_STREAM_LIMIT, stored=True, first=5),
    "500": Order(status=500, body="internal server error", times=4),
    "500 of a large message": Order(status=500, body=_TOO_LARGE, times=4),
    "500 after acceptance": Order(status=500, body="context canceled", stored=True, times=4),
    "502": Order(status=502, body="bad gateway"),
    "502 after acceptance": Order(status=502, body="bad gateway", stored=True),
    "503": Order(status=503, body="service unavailable"),
    "503 after acceptance": Order(status=503, body="service unavailable", stored=True),
    "504": Order(status=504, body="gateway timeout"),
    "504 after acceptance": Order(status=504, body="gateway timeout", stored=True),
    "260": Order(status=260, body="ingestion blocked for user fake", times=4),
    "301": Order(status=301, body="moved permanently", times=4),
    "hang": Order(fault="hang"),
    "hang after acceptance": Order(fault="hang", stored=True, times=2),
    "slower than the timeout": Order(delay=2.5),
    "reset": Order(fault="reset"),
    "reset after acceptance": Order(fault="reset", stored=True, times=2),
    "reset with half of it taken": Order(fault="reset", stored=True, first=5),
    "close": Order(fault="close"),
    "close after acceptance": Order(fault="close", stored=True, times=2),
}
# After these Loki may yet get the push from whoever holds it.
OPEN_ENDS = {"408", "502", "503", "504", "hang", "reset", "reset with half of it taken", "close"}
# Loki itself failed and has the entries: they go again all the same.
DOUBLED = {"500 after acceptance"}


def strike(
    start: Start, fake_loki: FakeLoki, tmp_path: Path, orders: dict[str, Order]
) -> tuple[Shipper, list[Session]]:
    """Let a shipper deliver two lines of each session; then let each order meet 24 more of its own."""
    sessions = [Session(tmp_path / "logs", machine=f"dev@{seed}", seed=seed) for seed in range(len(orders))]
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url, "--loki-timeout=1s")
    for session in sessions:
        session.append_many(2)
    wait_until_settled(shipper, sessions, fake_loki)
    for session, order in zip(sessions, orders.values(), strict=True):
        fake_loki.order(replace(order, containing=session.name))
        session.append_many(24)
    return shipper, sessions


def test_no_answer_and_no_silence_loses_or_doubles_a_line(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    """Each trouble strikes one stream, all of them at the same time."""
    shipper, sessions = strike(start, fake_loki, tmp_path, TROUBLES)

    account = wait_until_settled(shipper, sessions, fake_loki, deadline=30.0)
    assert _sessions_with_copies(fake_loki) <= {
        session.name for session, name in zip(sessions, TROUBLES, strict=True) if name in DOUBLED
    }
    assert not account.rejected
    assert lines_counted(fake_loki) == account.lines + account.copies
    assert _statuses_told(shipper) >= {str(order.status) for order in TROUBLES.values() if order.status}
    health = shipper.health
    assert (health["status"], health["entries_dropped"]) == ("ok", 0)
    # An order strikes up to four pushes, and each of them may have stored the same lines once more.
    assert account.copies <= health["maybe_duplicated"] <= 24 * (4 * len(DOUBLED | OPEN_ENDS))


HELD = {
    "hang": Order(fault="hang", held=14.0),
    "reset": Order(fault="reset", held=14.0),
    "close": Order(fault="close", held=14.0),
    "502": Order(status=502, body="bad gateway", held=14.0),
    "503": Order(status=503, body="service unavailable", held=14.0),
    "504": Order(status=504, body="gateway timeout", held=14.0),
    "202": Order(status=202, held=14.0),
    "200, and not held": Order(status=200, stored=True, times=2),
    "hang, and held for less": Order(fault="hang", held=4.0, times=2),
}


def test_what_a_gateway_holds_until_it_has_been_sent_again_is_counted(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    shipper, sessions = strike(start, fake_loki, tmp_path, HELD)

    wait_until_settled(shipper, sessions, fake_loki, deadline=30.0)
    twice = [session.name for session, order in zip(sessions, HELD.values(), strict=True) if order.held > 12]
    eventually(lambda: _sessions_with_copies(fake_loki) == set(twice), what="all that was held, in Loki")
    account = wait_until_settled(shipper, sessions, fake_loki)
    assert account.copies == shipper.health["maybe_duplicated"]


def _sessions_with_copies(loki: FakeLoki) -> set[str]:
    return {kept.metadata["session"] for kept in loki.entries() if kept.copies > 1}


def _statuses_told(shipper: Shipper) -> set[str]:
    """Return the statuses that the log names."""
    return {event["reason"][:3] for event in shipper.process.events if "reason" in event}


def test_a_loki_that_is_not_there_yet_is_waited_for(start: Start, tmp_path: Path) -> None:
    port = free_port()
    session = Session(tmp_path / "logs")
    session.append_many(20)
    url = f"http://127.0.0.1:{port}/loki/api/v1/push"
    shipper = start_shipper(start, tmp_path / "logs", url, "--loki-retry-max=2")
    eventually(lambda: shipper.health["status"] == "error", what="status error")

    with copying_loki(port=port) as loki:
        account = wait_until_settled(shipper, [session], loki)
        eventually(lambda: shipper.health["status"] == "ok", what="status ok")
        loki.down()
        session.append_many(20)
        eventually(lambda: shipper.health["status"] == "error", what="status error again")
        loki.up()
        account = wait_until_settled(shipper, [session], loki)

    assert account.copies == 0
    assert shipper.health["maybe_duplicated"] == 0


def test_a_poison_line_holds_up_no_other_and_is_named(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    poisoned, other = Session(logs, seed=1), Session(logs, machine="dev@elsewhere", seed=2)
    fake_loki.order(Order(status=403, body="blocked by a rule", times=0, containing="<script>"))
    shipper = start_shipper(start, logs, fake_loki.push_url, "--shipper-shutdown-timeout=100ms")
    poisoned.append_many(3)
    wait_until_settled(shipper, [poisoned], fake_loki)
    offset = poisoned.written_bytes
    poison = poisoned.append(text="<script>")
    poisoned.append_many(2)

    with writing(Writer([other], small, rate=5000.0)):
        eventually(lambda: _missing(shipper, poisoned, fake_loki) == 1, what="the lines behind it in Loki")
        eventually(lambda: shipper.health["parked"], what="a parked line")
    health = shipper.health
    assert health["parked"] == [{"file": str(poisoned.path), "offset": offset}]
    assert health["status"] == "error"
    assert health["entries_dropped"] == 0
    assert shipper.process.terminate() == 3
    assert poison.decode() not in fake_loki.lines()

    fake_loki.clear_orders()
    shipper = start_shipper(start, logs, fake_loki.push_url)
    account = wait_until_settled(shipper, [poisoned, other], fake_loki)
    assert account.copies == 0


def _missing(shipper: Shipper, session: Session, loki: FakeLoki) -> int:
    return len(account_of([session], loki, shipper.state).missing)


@pytest.mark.parametrize("shards", [0, 4])
def test_stragglers_are_stored_though_loki_would_hide_their_refusal(
    start: Start, tmp_path: Path, shards: int
) -> None:
    """Lines two hours old, in streams that are up to now, amid new ones."""
    live, old = Session(tmp_path / "logs", seed=1), Session(tmp_path / "logs", seed=2)
    with copying_loki(shards=shards) as loki:
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url)
        live.append_many(40)
        wait_until_settled(shipper, [live], loki)
        for number in range(10):
            old.append(ts=now_ns() - 2 * _HOUR + number)
            live.append_many(4)

        account = wait_until_settled(shipper, [live, old], loki)

        assert account.copies == 0
        assert not account.rejected
        late = [kept for kept in loki.entries() if "late" in kept.labels]
        assert shipper.health["entries_late"] == len(late) == len(old.digests)


def test_after_a_start_no_refusal_hides_behind_another_stream(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    """A new process does not know how far a stream has come: Loki refuses its first try in each second."""
    logs = tmp_path / "logs"
    sessions = [Session(logs, machine=f"dev@{number}", seed=number) for number in range(10)]
    for each in sessions[::2]:
        each.append_many(4)
    shipper = start_shipper(start, logs, fake_loki.push_url)
    wait_until_settled(shipper, sessions, fake_loki)
    assert shipper.process.terminate() == 0
    for number, each in enumerate(sessions):
        # One line is one stream, six are two: neighbours in the queue are known and unknown by turns.
        for place in range(6 if number else 1):
            each.append(ts=now_ns() - 2 * _HOUR + place)

    shipper = start_shipper(start, logs, fake_loki.push_url)

    account = wait_until_settled(shipper, sessions, fake_loki)
    assert account.copies == 0
    assert not account.rejected
    assert shipper.health["entries_late"] == 4 * 6 + 1


def test_a_loki_without_structured_metadata_gets_the_same_lines(start: Start, tmp_path: Path) -> None:
    session = Session(tmp_path / "logs")
    session.append_many(20)
    session.append(600_000)
    with copying_loki(allow_structured_metadata=False) as loki:
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url)

        account = wait_until_settled(shipper, [session], loki)

        assert account.copies == 0
        assert shipper.health["structured_metadata"] is False
        assert sum(event.get("event") == "loki.metadata_off" for event in shipper.process.events) == 1


@pytest.mark.parametrize(
    ("limits", "event", "kept"),
    [
        ({"max_structured_metadata_entries_count": 4}, "loki.metadata_less", {"session", "offset"}),
        ({"max_structured_metadata_size": 90}, "loki.metadata_less", {"session", "offset"}),
        ({"max_structured_metadata_entries_count": 1}, "loki.metadata_off", set()),
    ],
)
def test_a_loki_that_takes_less_metadata_gets_every_line(
    start: Start, tmp_path: Path, limits: dict[str, int], event: str, kept: set[str]
) -> None:
    session = Session(tmp_path / "logs")
    session.append_many(50)
    with copying_loki(**limits) as loki:
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url)

        account = wait_until_settled(shipper, [session], loki)

        assert account.copies == 0
        assert not account.rejected
        assert all(kept <= each.metadata.keys() for each in loki.entries())
        assert shipper.process.wait_for(event)
        assert shipper.health["status"] == "ok"


def test_while_every_line_is_refused_nothing_is_said_to_be_well(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    for number in range(5):
        session.append(ts=now_ns() - 8 * _DAY + number)
    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)
    told = shipper.process.wait_for("loki.delivery_failing")

    assert told["message"].startswith("Loki refuses all lines: 400: ")
    assert "llm-loki-ship rejected" in told["advice"]
    assert eventually(lambda: shipper.health["entries_dropped"] == 5)
    assert shipper.health["status"] == "error"
    assert get(f"{shipper.url}/readyz")[0] == 503
    session.append()
    eventually(lambda: shipper.health["last_error"] == "not in Loki, and not sent again: 5 too_old")
    assert shipper.process.terminate() == 0
    assert "5 rejected lines" in shipper.process.wait_for("shipper.stopped")["message"]


@pytest.mark.parametrize("limit", [20_000, 64 * 1024])
def test_a_lower_line_limit_than_configured_is_learned(start: Start, tmp_path: Path, limit: int) -> None:
    session = Session(tmp_path / "logs")
    for size in (300, 15_000, limit - 1, limit, limit + 1, 250_000, 262_144, 262_145, 900_000, 400):
        session.append(size)
    with copying_loki(max_line_size=limit) as loki:
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url)

        account = wait_until_settled(shipper, [session], loki)

        assert not account.rejected
        assert max(len(kept.line.encode()) for kept in loki.entries()) <= limit
        session.append(limit + 1)
        wait_until_settled(shipper, [session], loki)


def test_a_token_that_is_renewed_is_read_again(start: Start, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("sesame-of-yesterday\n")
    session = Session(tmp_path / "logs")
    session.append_many(20)
    with copying_loki(bearer="sesame-of-today") as loki:
        shipper = start_shipper(
            start, tmp_path / "logs", loki.push_url, "--loki-retry-max=1", f"--loki-auth-token-file={token}"
        )
        eventually(lambda: shipper.health["status"] == "error", what="status error")
        assert "401" in shipper.health["last_error"]

        token.write_text("sesame-of-today\n")

        wait_until_settled(shipper, [session], loki)
        assert "sesame" not in shipper.process.stderr


def test_a_burst_below_the_batch_is_found_out(start: Start, tmp_path: Path) -> None:
    """Above the burst no push ever passes, and no answer tells the burst."""
    session = Session(tmp_path / "logs")
    session.append_many(40, size=10_000)
    with copying_loki(ingestion_rate_mb=1.0, ingestion_burst_size_mb=0.15) as loki:
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url)

        account = wait_until_settled(shipper, [session], loki)

        assert account.copies == 0
        assert shipper.health["maybe_duplicated"] == 0


def test_what_waits_while_loki_is_away_goes_in_pushes_below_a_burst_that_a_joined_one_exceeds(
    start: Start, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    with copying_loki(ingestion_rate_mb=2.0, ingestion_burst_size_mb=1.5) as loki:
        loki.down()
        shipper = start_shipper(start, tmp_path / "logs", loki.push_url)
        session.append_many(1200, size=3000)
        eventually(lambda: shipper.health["status"] == "error", what="Loki is away")
        loki.up()

        account = wait_until_settled(shipper, [session], loki)

        assert account.copies == 0
        refused = sum(push.status == 429 for push in loki.pushes)
        assert refused <= 6, "the burst is learned once, not from each push"


def test_one_line_that_a_filter_blocks_stops_only_itself_though_no_other_stream_delivers(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    fake_loki.order(Order(status=403, body="<html>Request blocked</html>", times=0, containing="<script>"))
    for number in range(60):
        line = session.line(text="<script>" if number == 31 else "")
        session.write(line.replace(b'"type":"response"', b'"type":"request"') + b"\n")

    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)

    eventually(lambda: len(fake_loki.lines()) == 59, 30.0, "all other lines in Loki")
    eventually(lambda: len(shipper.health["parked"]) == 1, 30.0, "the line set aside")
    shipper.process.wait_for("loki.push_parked")
    report = get_json(f"{shipper.url}/status")
    assert "filter before Loki" in report["advice"]
    assert "credentials" not in report["advice"]


@pytest.mark.slow
def test_a_query_api_that_is_down_holds_pushes_up_for_a_bounded_time(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session = Session(tmp_path / "logs")
    fake_loki.order(Order(status=500, body="too many outstanding requests", times=0, path="/query_range"))
    fake_loki.order(Order(fault="reset", stored=True))
    session.append_many(20)

    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)

    told = shipper.process.wait_for("loki.query_given_up", 60.0)
    assert told["message"].startswith("Loki's query API fails")
    wait_until_settled(shipper, [session], fake_loki)
    assert shipper.health["maybe_duplicated"] > 0


def test_what_is_refused_for_good_is_on_the_list_and_nothing_else_is(
    start: Start, fake_loki: FakeLoki, tmp_path: Path
) -> None:
    session, old = Session(tmp_path / "logs", seed=1), Session(tmp_path / "logs", seed=2)
    for number in range(12):
        old.append(ts=now_ns() - 8 * _DAY + number)
    session.append_many(12)

    shipper = start_shipper(start, tmp_path / "logs", fake_loki.push_url)

    account = wait_until_settled(shipper, [session, old], fake_loki)
    assert account.rejected == {"too_old": 12}
    assert account.arrived == 12
    health = shipper.health
    assert (health["entries_sent"], health["entries_dropped"], health["status"]) == (12, 12, "error")
