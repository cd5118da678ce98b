import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from groundwork.eventlog import EventLog
from proxy.record.journal import Journal
from proxy.recording.capture import HANDED_OVER, Capture, Failure
from proxy.recording.queue.recorder import Limits, Recorder
from proxy.recording.queue.write_throttle import WriteThrottle
from proxy.recording.transcript import Policy
from tests.proxy.bodies import joined


class SlowJournal(Journal):
    """A journal whose disk hangs until the test lets it go on."""

    def __init__(self, log_dir: Path) -> None:
        super().__init__(log_dir)
        self.go_on = threading.Event()

    def flush(self) -> Any:
        self.go_on.wait(20)
        return super().flush()


@contextmanager
def recording(journal: Journal, tmp_path: Path, limits: Limits | None = None) -> Iterator[Recorder]:
    events = EventLog(logging.getLogger("test"))
    recorder = Recorder(journal, Policy("u@h"), tmp_path, limits or Limits(), events)
    recorder.start()
    try:
        yield recorder
    finally:
        if isinstance(journal, SlowJournal):
            journal.go_on.set()
        recorder.close()
        journal.close()


def called(key: str = "k", content_type: bytes = b"application/json") -> Capture:
    return Capture(
        "r", "anthropic", "api.anthropic.com", "POST", "/v1/messages", "", [(b"session_id", key.encode())],
        time.monotonic_ns(), time.time_ns(), status=200, response_headers=[(b"content-type", content_type)],
    )  # fmt: skip


def call(recorder: Recorder, request: bytes = b"{}", response: bytes = b"{}", key: str = "k") -> None:
    capture = called(key)
    capture.request.add(request, capture.started)
    recorder.offer_request(capture)
    capture.response.add(response, time.monotonic_ns())
    recorder.offer_response(capture, None)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - another thread makes it true
            await asyncio.sleep(0.005)


def records(tmp_path: Path) -> list[dict[str, Any]]:
    files = sorted(tmp_path.glob("*/*/*.jsonl"))
    return [orjson.loads(line) for file in files for line in file.read_bytes().splitlines()]


def offer(tmp_path: Path, journal: Journal, offers: Any, limits: Limits | None = None) -> Recorder:
    """Run ``offers(recorder)`` on an event loop; return the recorder after it has written all."""

    async def main() -> None:
        offers(recorder)

    with recording(journal, tmp_path, limits) as recorder:
        asyncio.run(main())
    return recorder


def test_calls_are_written_in_the_order_in_which_they_ended(tmp_path: Path) -> None:
    recorder = offer(tmp_path, Journal(tmp_path), lambda recorder: [call(recorder) for _ in range(600)])
    written = records(tmp_path)

    assert [each["type"] for each in written] == ["session_start", *["request", "response"] * 600]
    assert [each["seq"] for each in written[1::2]] == list(range(1, 601))
    times = [each["_meta"]["ts"] for each in written]
    assert times == sorted(set(times))
    assert (recorder.counters.records_written, recorder.waiting) == (1201, 0)


def test_what_was_offered_is_written_while_the_loop_runs(tmp_path: Path) -> None:
    async def main() -> None:
        call(recorder)
        await until(lambda: len(records(tmp_path)) == 3)

    with recording(Journal(tmp_path), tmp_path) as recorder:
        asyncio.run(main())


def test_a_long_stream_is_handed_over_while_it_runs(tmp_path: Path) -> None:
    def offers(recorder: Recorder) -> None:
        capture = called(content_type=b"text/event-stream")
        recorder.offer_request(capture)
        for _ in range(5):
            if capture.response.add(b"x" * (HANDED_OVER // 2), time.monotonic_ns()):
                recorder.offer_part(capture, capture.response)
        recorder.offer_response(capture, None)

    offer(tmp_path, Journal(tmp_path), offers)

    response = records(tmp_path)[-1]
    assert joined(response["chunks"]) == b"x" * (HANDED_OVER // 2 * 5)
    assert response["size"] == HANDED_OVER // 2 * 5


def test_when_the_disk_hangs_bodies_are_left_out_and_envelopes_stay(tmp_path: Path) -> None:
    limits = Limits(bodies=100, envelopes=1 << 20, begun=0, short=0)
    recorder = offer(
        tmp_path,
        SlowJournal(tmp_path),
        lambda recorder: [call(recorder, b'{"a":"' + b"x" * 40 + b'"}', b"y" * 20) for _ in range(10)],
        limits,
    )
    written = records(tmp_path)

    assert len(written) == 21
    omitted = [each["omitted"] for each in written if "omitted" in each]
    assert len(omitted) == sum(recorder.counters.omitted.values()) > 15
    assert {each["reason"] for each in omitted} == {"queue_full"}
    assert {each["bytes"] for each in omitted} == {48, 20}
    assert all(len(each["sha256"]) == 64 for each in omitted)


def test_when_even_envelopes_have_no_room_calls_are_left_out_and_the_gap_is_told(tmp_path: Path) -> None:
    journal = SlowJournal(tmp_path)

    async def main() -> None:
        for _ in range(10):
            call(recorder)
        assert recorder.records_missing == 16
        journal.go_on.set()
        await until(lambda: recorder.waiting == 0)
        call(recorder)

    with recording(journal, tmp_path, Limits(envelopes=7_000)) as recorder:
        asyncio.run(main())
    written = records(tmp_path)

    assert [each["type"] for each in written].count("request") == 3
    assert [each["type"] for each in written].count("response") == 3
    assert [each.get("gap") for each in written if each["type"] == "request"] == [None, None, 16]


def test_a_part_that_has_no_room_lets_the_whole_body_go(tmp_path: Path) -> None:
    def offers(recorder: Recorder) -> None:
        capture = called()
        capture.request.add(b"x" * 60, 1)
        recorder.offer_part(capture, capture.request)
        capture.request.add(b"x" * 60, 1)
        recorder.offer_part(capture, capture.request)
        recorder.offer_request(capture)
        recorder.offer_response(capture, Failure("client_gone", "left"))

    offer(tmp_path, SlowJournal(tmp_path), offers, Limits(bodies=100, begun=0, short=0))
    _, request, response = records(tmp_path)

    assert request["omitted"] == {"bytes": 120, "sha256": "", "reason": "queue_full"}
    assert response["error"] == {"kind": "client_gone", "message": "left"}


def test_large_bodies_that_fill_the_queue_take_no_short_body_off_the_record(tmp_path: Path) -> None:
    def offers(recorder: Recorder) -> None:
        for _ in range(3):
            call(recorder, b'{"a":"' + b"x" * 17_000 + b'"}')
        for _ in range(3):
            call(recorder, b'{"b":1}')

    offer(tmp_path, SlowJournal(tmp_path), offers, Limits(bodies=17_010, begun=0, short=100))
    requests = [each for each in records(tmp_path) if each["type"] == "request"]

    assert [each["omitted"]["reason"] for each in requests if "omitted" in each] == ["queue_full"] * 2
    assert [each["body"] for each in requests if each.get("size") == 7] == ['{"b":1}'] * 3


def test_no_hash_is_told_of_a_body_that_was_let_go_amid_its_coming(tmp_path: Path) -> None:
    def offers(recorder: Recorder) -> None:
        capture = called()
        capture.request.add(b"x" * 160, 1)
        recorder.offer_part(capture, capture.request)
        capture.request.add(b"x" * 60, 1)
        recorder.offer_request(capture)
        recorder.offer_response(capture, None)

    offer(tmp_path, SlowJournal(tmp_path), offers, Limits(bodies=100, begun=0, short=0))
    _, request, _ = records(tmp_path)

    assert request["omitted"] == {"bytes": 220, "sha256": "", "reason": "queue_full"}


def test_nothing_is_hashed_on_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashing: list[int] = []
    real = hashlib.sha256

    def noted() -> Any:
        hashing.append(threading.get_ident())
        return real()

    monkeypatch.setattr("proxy.recording.queue.hasher.hashlib.sha256", noted)
    offer(
        tmp_path,
        SlowJournal(tmp_path),
        lambda recorder: [call(recorder, b"x" * 200)],
        Limits(bodies=100, begun=0, short=0),
    )

    assert hashing
    assert threading.get_ident() not in hashing


def test_the_pace_hears_of_each_item_and_of_each_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    class Noted(WriteThrottle):
        def flushed(self, seconds: float) -> None:
            assert isinstance(seconds, float)
            heard.append("flush")

        def rest(self, worked: float) -> float:
            assert worked > 0
            heard.append("item")
            return 0.0

    monkeypatch.setattr("proxy.recording.queue.recorder.WriteThrottle", Noted)
    offer(tmp_path, Journal(tmp_path), lambda recorder: [call(recorder) for _ in range(2)])

    assert heard.count("item") == 4
    assert heard[-1] == "flush"


@pytest.mark.parametrize(("worked", "stood_still"), [(0.3, 0.0), (0.0, 0.3), (0.1, 0.2)])
def test_the_pace_counts_how_long_a_flush_stood_still_not_its_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worked: float, stood_still: float
) -> None:
    passed, spent = [0.0], [0.0]

    class Flushing(Journal):
        def flush(self) -> Any:
            passed.append(passed[-1] + 0.3)
            spent.append(spent[-1] + worked)
            return super().flush()

    heard: list[float] = []
    clocks = {**vars(time), "monotonic": lambda: passed[-1], "thread_time": lambda: spent[-1]}
    monkeypatch.setattr("proxy.recording.queue.recorder.time", SimpleNamespace(**clocks))
    monkeypatch.setattr(WriteThrottle, "flushed", lambda _, seconds: heard.append(seconds))
    offer(tmp_path, Flushing(tmp_path), call)

    assert heard
    assert heard == [pytest.approx(stood_still)] * len(heard)


def test_a_disk_that_fails_is_told_and_the_records_after_it_tell_the_gap(tmp_path: Path) -> None:
    async def main() -> None:
        call(recorder)
        await until(lambda: recorder.counters.failing)
        assert (recorder.records_missing, recorder.counters.records_written) == (3, 0)
        assert recorder.counters.last_error == "Not a directory"
        in_the_way.unlink()
        call(recorder)
        await until(lambda: not recorder.counters.failing)

    in_the_way = tmp_path / "api.anthropic.com"
    in_the_way.write_text("")
    with recording(Journal(tmp_path), tmp_path) as recorder:
        asyncio.run(main())

    written = records(tmp_path)
    assert [(each["type"], each.get("gap")) for each in written] == [("request", 3), ("response", None)]
    assert recorder.counters.write_errors == 1


@pytest.mark.parametrize(("field", "value"), [("path", None), ("upstream", "no-such-folder\0")])
def test_a_call_that_cannot_be_recorded_does_not_end_the_log(tmp_path: Path, field: str, value: Any) -> None:
    def offers(recorder: Recorder) -> None:
        odd = called()
        setattr(odd, field, value)
        recorder.offer_request(odd)
        recorder.offer_response(odd, None)
        call(recorder, key="other")

    recorder = offer(tmp_path, Journal(tmp_path), offers)

    assert [each["type"] for each in records(tmp_path)] == ["session_start", "request", "response"]
    assert recorder.counters.write_errors > 0


def test_bodies_are_left_out_below_the_free_disk_asked_for(tmp_path: Path) -> None:
    offer(tmp_path, Journal(tmp_path), call, Limits(min_free=1 << 62))
    _, request, response = records(tmp_path)

    assert [each["omitted"]["reason"] for each in (request, response)] == ["low_disk", "low_disk"]
