"""The outbox against a model of Loki that stores, refuses and forgets to answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shipper.entry import DropReason, Entry, Pairs
from shipper.loki.push.answers import Meaning
from shipper.loki.push.outcome import Outcome, Refused
from shipper.loki.push.push import Answer, Metadata, Push, Silence, Verification
from shipper.loki.queues.outbox import Outbox
from shipper.loki.queues.stream_queue import StreamQueue
from tests.shipper.entries import MINUTE, STREAM, entry

MOST = 20
DELIVERED = Answer(204)
DOWN = Answer(silence=Silence.UNREACHABLE)
TIMEOUT = Answer(silence=Silence.TIMEOUT)
TOO_OLD = Answer(400, "entry has timestamp too old")
TOO_NEW = Answer(400, "entry has timestamp too new")
TOO_FAR = Answer(400, "entry too far behind")
TOO_LARGE = Answer(500, "ResourceExhausted: received message larger than max")
TENANT = Answer(429, "ingestion rate limit exceeded for user x (limit: 1000000 bytes/sec)")
STREAM_LIMIT = Answer(429, "Per stream rate limit exceeded (limit: 1KB/sec)")
STREAM_COUNT = Answer(429, "maximum active stream limit exceeded when trying to create stream {}")
RESPONSES: Pairs = (("app", "llm-proxy"), ("log_type", "response"))


def outbox_of(*entries: Entry, retry_max: int = 5, ask: bool = False) -> Outbox:
    """Return an outbox whose stream has been probed, holding one batch."""
    outbox = Outbox(retry_max, ask=ask, most_entries=MOST)
    outbox.add([entry(0)])
    push = outbox.take(0.0)
    assert push is not None
    outbox.handle_answer(push.number, DELIVERED, 0.0, 0.0)
    if entries:
        outbox.add(list(entries))
    return outbox


def take(outbox: Outbox, now: float = 0.0) -> Push:
    push = outbox.take(now)
    assert push is not None
    return push


def answer(outbox: Outbox, push: Push, what: Answer, now: float = 0.0) -> Outcome:
    return outbox.handle_answer(push.number, what, now, 0.0)


def taken(outbox: Outbox) -> list[tuple[Entry, ...]]:
    """Return what leaves, push by push, as each is delivered."""
    pushes = []
    while (push := outbox.take(0.0)) is not None:
        answer(outbox, push, DELIVERED)
        pushes.append(push.entries)
    return pushes


def test_the_first_entry_of_a_stream_goes_alone_and_the_others_wait_for_its_answer() -> None:
    outbox = Outbox(5, ask=False, most_entries=MOST)
    outbox.add([entry(2), entry(1), entry(3)])

    probe = take(outbox)

    assert probe.entries == (entry(1),)
    assert outbox.take(0.0) is None
    answer(outbox, probe, DELIVERED)
    assert take(outbox).entries == (entry(2), entry(3))


def test_streams_that_have_nothing_to_do_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(5, ask=False, most_entries=MOST)
    for number in range(100):
        outbox.add([entry(number, stream=(("machine", str(number)),))])
    assert len(taken(outbox)) == 100
    looked_at: list[Pairs] = []

    def next_push(queue: StreamQueue, *args: Any, **more: Any) -> Push | None:
        looked_at.append(queue.stream)
        return original(queue, *args, **more)

    original = StreamQueue.next_push
    monkeypatch.setattr(StreamQueue, "next_push", next_push)
    outbox.add([entry(1000)])

    assert len(taken(outbox)) == 1

    assert set(looked_at) == {STREAM}
    assert outbox.empty


def test_a_push_holds_one_stream_and_streams_take_turns() -> None:
    outbox = outbox_of(entry(1), entry(2))
    outbox.add([entry(3, stream=RESPONSES)])

    first, second = take(outbox), take(outbox)

    assert {first.stream, second.stream} == {STREAM, RESPONSES}
    assert all(each.stream == push.stream for push in (first, second) for each in push.entries)


def test_while_a_push_is_in_flight_the_others_of_its_stream_wait() -> None:
    """What Loki logs of two at once in another order than it took them, it drops after a restart."""
    outbox = outbox_of(entry(1))
    outbox.add([entry(2)])
    outbox.add([entry(3, minutes=-31)])
    first = take(outbox)

    assert outbox.take(100.0) is None
    assert outbox.next_ready() is None
    answer(outbox, first, DELIVERED)
    assert outbox.take(100.0) is not None
    assert outbox.take(100.0) is None


def test_batches_that_wait_for_an_answer_leave_together_as_far_as_they_fit() -> None:
    outbox = outbox_of(entry(1))
    first = take(outbox)
    for number in range(2, 2 + MOST):
        outbox.add([entry(number)])
    outbox.add([entry(30, size=2_000_000)])
    outbox.add([entry(31, size=2_000_000)])
    answer(outbox, first, DELIVERED)

    assert [len(each) for each in taken(outbox)] == [MOST, 1, 1]


def test_entries_that_loki_might_find_too_far_behind_go_one_a_push() -> None:
    outbox = outbox_of(entry(1), entry(2, minutes=-31), entry(3, minutes=31), entry(4, minutes=20))

    pushes = taken(outbox)

    assert pushes == [
        (entry(2, minutes=-31),),
        (entry(1), entry(4, minutes=20)),
        (entry(3, minutes=31),),
    ]


def test_entries_after_a_gap_leave_together_once_the_first_of_them_is_taken() -> None:
    outbox = outbox_of(*(entry(number, minutes=90 + number) for number in range(1, 5)))

    assert [len(each) for each in taken(outbox)] == [1, 3]


def test_an_entry_older_than_all_that_this_process_has_seen_acknowledged_goes_alone() -> None:
    outbox = outbox_of(entry(1), entry(2, minutes=-1))

    assert (entry(2, minutes=-1),) in taken(outbox)


def test_a_failed_push_is_repeated_whole_after_a_wait_and_alone_in_its_stream() -> None:
    outbox = outbox_of(entry(1), entry(2))
    outbox.add([entry(3)])
    push = take(outbox)

    outcome = answer(outbox, push, DOWN, now=1.0)

    assert outcome.wait == pytest.approx(0.1)
    assert outbox.take(1.05) is None
    assert outbox.next_ready() == pytest.approx(1.1)
    again = take(outbox, 1.11)
    assert (again.entries, again.attempts) == (push.entries, 1)
    assert outbox.take(1.11) is None


def test_entries_count_as_failed_once_when_the_retries_are_used_up_and_go_on() -> None:
    outbox = outbox_of(entry(1), entry(2), retry_max=2)
    counted, now = [], 0.0
    for _ in range(6):
        now += 20.0
        counted.append(answer(outbox, take(outbox, now), DOWN, now).newly_failed)

    assert counted == [0, 0, 2, 0, 0, 0]
    assert outbox.exhausted
    delivered = answer(outbox, take(outbox, now + 20.0), DELIVERED, now + 20.0)
    assert delivered.delivered == (entry(1), entry(2))
    assert not outbox.exhausted


def test_a_push_too_large_is_halved_down_to_what_passes() -> None:
    outbox = outbox_of(*(entry(number) for number in range(1, 9)))
    delivered: list[Entry] = []
    while (push := outbox.take(0.0)) is not None:
        outcome = answer(outbox, push, TOO_LARGE if len(push.entries) > 2 else DELIVERED)
        delivered += outcome.delivered

    assert delivered == [entry(number) for number in range(1, 9)]


def test_after_a_refusal_each_entry_is_tried_alone_and_only_the_refused_one_is_given_up() -> None:
    outbox = outbox_of(entry(1), entry(2), entry(3))
    first = answer(outbox, take(outbox), TOO_OLD)
    assert first.refused == ()

    refused: list[Refused] = []
    delivered: list[Entry] = []
    while (push := outbox.take(0.0)) is not None:
        assert len(push.entries) == 1
        outcome = answer(outbox, push, TOO_OLD if push.entries == (entry(2),) else DELIVERED)
        refused += outcome.refused
        delivered += outcome.delivered

    assert [(each.entry, each.reason) for each in refused] == [(entry(2), DropReason.TOO_OLD)]
    assert delivered == [entry(1), entry(3)]


def test_an_entry_an_hour_behind_its_stream_goes_under_the_label_late_without_a_refusal() -> None:
    outbox = outbox_of(entry(1, minutes=-200), entry(2, minutes=-199), entry(3))

    pushes = []
    while (push := outbox.take(0.0)) is not None:
        pushes.append(push)
        answer(outbox, push, DELIVERED)

    assert outbox.late == 2
    late = [push for push in pushes if dict(push.stream).get("late")]
    assert {dict(push.stream)["late"] for push in late} == {"2026-11-23T08"}
    assert [each.span for push in late for each in push.entries] == [entry(1).span, entry(2).span]
    assert outbox.empty


def test_an_entry_that_loki_finds_too_far_behind_goes_again_as_late_and_is_not_given_up() -> None:
    outbox = outbox_of(entry(1, minutes=-40))

    outcome = answer(outbox, take(outbox), TOO_FAR)

    assert (outcome.refused, outbox.late) == ((), 1)
    late = take(outbox)
    assert dict(late.stream)["late"] == "2026-11-23T11"
    assert answer(outbox, late, DELIVERED).delivered[0].span == entry(1).span
    assert outbox.empty


def test_what_is_refused_as_too_far_behind_in_the_late_stream_too_is_given_up() -> None:
    outbox = outbox_of(entry(1, minutes=-40))
    answer(outbox, take(outbox), TOO_FAR)

    outcome = answer(outbox, take(outbox), TOO_FAR)

    assert [each.reason for each in outcome.refused] == [DropReason.TOO_FAR_BEHIND]


def test_a_parked_entry_that_its_stream_has_left_behind_goes_as_late_without_a_refusal() -> None:
    outbox = outbox_of(entry(1))
    for now in range(0, 50, 10):
        answer(outbox, take(outbox, now), Answer(500, "boom"), now)
        outbox.add([entry(0, stream=RESPONSES)])
        answer(outbox, take(outbox, now), DELIVERED, now)
    assert outbox.parked
    outbox.add([entry(2, minutes=20), entry(3, minutes=40), entry(4, minutes=65)])
    while (push := outbox.take(50.0)) is not None:
        answer(outbox, push, DELIVERED, 50.0)

    late = take(outbox, 100.0)

    assert dict(late.stream)["late"]
    assert [each.span for each in late.entries] == [entry(1).span]


def test_a_foreign_400_refuses_nothing() -> None:
    outbox = outbox_of(entry(1))

    outcome = answer(outbox, take(outbox), Answer(400, "Bad Request: plain HTTP sent to HTTPS port"))

    assert outcome.refused == ()
    assert take(outbox, 1.0).entries == (entry(1),)


def test_a_line_too_long_is_told_with_the_limit_and_never_refused() -> None:
    outbox = outbox_of(entry(1))

    outcome = answer(outbox, take(outbox), Answer(400, "max entry size '1000' bytes exceeded"))

    assert (outcome.too_long, outcome.line_limit, outcome.refused) == ((entry(1),), 1000, ())


def test_without_structured_metadata_the_same_push_goes_at_once() -> None:
    outbox = outbox_of(entry(1))
    answer(outbox, take(outbox), Answer(400, "structured metadata: this feature is disallowed"))

    assert not outbox.metadata.most
    push = take(outbox)
    assert push.entries == (entry(1),)
    assert not push.metadata
    answer(outbox, push, DELIVERED)

    outbox.add([entry(2)])
    assert take(outbox, now=601.0).metadata is Metadata.ALL, "Loki may allow it again"


def test_a_query_that_fails_for_half_a_minute_is_given_up_and_the_entries_are_counted() -> None:
    outbox = outbox_of(entry(1), ask=True)
    answer(outbox, take(outbox), TIMEOUT)
    unanswered = Verification(failed="500")
    now = 0.0
    outcomes: list[Outcome] = []
    while not outcomes or not outcomes[-1].unanswered:
        now += 1.0
        push = outbox.take(now)
        if push is not None:
            assert push.verify
            outcomes.append(outbox.handle_verification(push.number, unanswered, now, 0.0))
        assert now < 60.0

    assert 30.0 <= now <= 50.0
    assert (outcomes[-1].maybe_duplicated, outcomes[-1].unanswered) == (1, "500")
    assert not take(outbox, now).verify


def test_an_entry_ahead_of_lokis_clock_waits_and_holds_up_nothing() -> None:
    outbox = outbox_of(entry(1, minutes=35))
    answer(outbox, take(outbox), Answer(400, "entry has timestamp too new"), now=1.0)
    outbox.add([entry(2)])

    following = take(outbox, 2.0)
    assert following.entries == (entry(2),)
    assert outbox.take(32.0) is None, "while another of its stream is in flight"
    answer(outbox, following, DELIVERED, 32.0)
    assert take(outbox, 32.0).entries == (entry(1, minutes=35),)


def test_after_a_tenants_limit_every_stream_slows_down_to_the_printed_rate() -> None:
    outbox = outbox_of(entry(1, size=1_000_000))
    outbox.add([entry(9, stream=RESPONSES)])
    answer(outbox, take(outbox), TENANT, now=0.0)

    assert outbox.take(0.9) is None
    assert outbox.next_ready() == pytest.approx(1.11, rel=0.01)


def test_after_a_tenants_limit_pushes_are_halved_and_later_ones_stay_below_the_burst() -> None:
    outbox = outbox_of(*(entry(number, size=100_000) for number in range(1, 9)))
    now, sizes = 0.0, []
    while (push := outbox.take(now)) is not None:
        sizes.append(len(push.entries))
        answer(outbox, push, TENANT if push.size > 250_000 else DELIVERED, now)
        now += 100.0

    assert sizes == [8, 4, 2, 2, 2, 2]

    outbox.add([entry(number, size=99_999) for number in range(1, 5)])
    assert len(take(outbox, now).entries) == 2


def test_a_burst_is_tried_again_once_it_was_not_met_for_long() -> None:
    outbox = outbox_of(*(entry(number, size=100_000) for number in range(1, 3)))
    answer(outbox, take(outbox), TENANT)
    for half in (100.0, 800.0):
        answer(outbox, take(outbox, half), DELIVERED, half)
    outbox.add([entry(number, size=100_000) for number in range(9, 13)])

    assert len(take(outbox, 900.0).entries) == 4


def test_after_a_streams_limit_its_entries_go_alone_once_the_bucket_has_refilled() -> None:
    outbox = outbox_of(entry(1, size=2048), entry(2, size=2048))
    push = take(outbox)
    answer(outbox, push, STREAM_LIMIT, now=0.0)

    assert outbox.take(push.size / 1024) is None
    assert len(take(outbox, push.size / 1024 * 1.2).entries) == 1


def test_a_push_that_fails_while_others_succeed_is_parked_and_lets_its_stream_go_on() -> None:
    outbox = outbox_of(entry(1))
    now = 0.0
    for number in range(5):
        push = take(outbox, now)
        assert push.entries == (entry(1),)
        answer(outbox, push, Answer(500, "boom"), now)
        outbox.add([entry(number, stream=RESPONSES)])
        answer(outbox, take(outbox, now), DELIVERED, now)
        now += 10.0

    assert [push.entries for push in outbox.parked] == [(entry(1),)]
    outbox.add([entry(2)])
    following = take(outbox, now)
    assert following.entries == (entry(2),)
    answer(outbox, following, DELIVERED, now)
    assert outbox.set_aside == 1
    assert take(outbox, now + 60).entries == (entry(1),)
    assert outbox.set_aside == 1, "also while it is tried again"


def test_a_stream_that_loki_has_no_room_for_is_tried_by_one_entry_and_slows_no_other() -> None:
    outbox = Outbox(5, ask=False, most_entries=MOST)
    outbox.add([entry(1), entry(2)])
    outbox.add([entry(3)])
    now, waited = 0.0, 0.0
    for number in range(8):
        now += waited
        tried = take(outbox, now)
        assert tried.entries == (entry(1),)
        answer(outbox, tried, STREAM_COUNT, now)
        outbox.add([entry(number, stream=RESPONSES)])
        answer(outbox, take(outbox, now), DELIVERED, now)
        assert outbox.take(now) is None
        waited = (outbox.next_ready() or 0.0) - now
        assert outbox.set_aside == 3
        assert [push.entries for push in outbox.parked] == [(entry(1),)]

    assert waited == pytest.approx(30)
    tried = take(outbox, now + waited)
    assert outbox.set_aside == 3, "also while it is tried again"
    answer(outbox, tried, DELIVERED, now + waited)
    assert taken(outbox) == [(entry(2), entry(3))]
    assert not outbox.set_aside
    assert not outbox.parked


def test_a_stream_that_has_got_room_goes_on_past_an_entry_that_fails_for_itself() -> None:
    outbox = Outbox(5, ask=False, most_entries=MOST)
    outbox.add([entry(1), entry(2)])
    now = 0.0
    for trouble in (STREAM_COUNT, *[Answer(500, "boom")] * 4):
        push = take(outbox, now)
        assert push.entries == (entry(1),)
        outbox.add([entry(3, stream=RESPONSES)])
        answer(outbox, take(outbox, now), DELIVERED, now)
        answer(outbox, push, trouble, now)
        now += 10.0

    assert take(outbox, now).entries == (entry(2),)


def test_loki_is_asked_about_a_push_without_an_answer_and_only_the_rest_goes_again() -> None:
    outbox = outbox_of(entry(1), entry(2), entry(3), ask=True)
    answer(outbox, take(outbox), TIMEOUT, now=0.0)

    assert outbox.take(9.9) is None
    question = take(outbox, 10.1)
    assert question.verify
    outcome = outbox.handle_verification(
        question.number, Verification(stored=frozenset([entry(2)])), 10.1, 0.0
    )

    assert outcome.delivered == (entry(2),)
    rest = take(outbox, 10.1)
    assert (rest.verify, rest.entries) == (False, (entry(1), entry(3)))


def test_where_loki_cannot_be_asked_what_goes_again_is_counted() -> None:
    outbox = outbox_of(entry(1), entry(2), ask=True)
    answer(outbox, take(outbox), TIMEOUT, now=0.0)
    question = take(outbox, 10.1)

    outcome = outbox.handle_verification(
        question.number, Verification(unknown=frozenset(question.entries), cannot="403"), 10.1, 0.0
    )

    assert outcome.maybe_duplicated == 2
    push = take(outbox, 10.1)
    assert answer(outbox, push, TIMEOUT, now=11.0).maybe_duplicated == 2


def test_what_an_earlier_process_may_have_pushed_is_asked_and_holds_up_nothing_else() -> None:
    outbox = outbox_of(ask=True)
    outbox.verify([entry(1), entry(2)], not_before=10.0)
    outbox.add([entry(3)])

    new = take(outbox, 1.0)
    assert new.entries == (entry(3),)
    answer(outbox, new, DELIVERED)
    question = take(outbox, 10.0)
    assert question.verify
    outbox.handle_verification(question.number, Verification(stored=frozenset([entry(1)])), 10.0, 0.0)
    rest = take(outbox, 10.0)
    assert (rest.verify, rest.entries) == (False, (entry(2),))


@pytest.mark.parametrize(
    "open_end",
    [
        TIMEOUT,
        Answer(silence=Silence.BROKEN),
        Answer(504),
        Answer(502),
        Answer(503),
        Answer(202),
    ],
)
def test_what_loki_has_not_of_a_push_that_may_still_come_is_counted(open_end: Answer) -> None:
    outbox = outbox_of(entry(1), entry(2), entry(3), ask=True)
    answer(outbox, take(outbox), open_end)
    question = take(outbox, 10.1)
    assert question.verify

    outcome = outbox.handle_verification(
        question.number, Verification(stored=frozenset([entry(2)])), 10.1, 0.0
    )

    assert outcome.maybe_duplicated == 2


@pytest.mark.parametrize("end", [Answer(500, "internal"), TOO_OLD, STREAM_LIMIT])
def test_what_loki_has_not_of_a_push_that_it_has_answered_is_not_counted(end: Answer) -> None:
    outbox = outbox_of(entry(1), entry(2), entry(3), ask=True)
    answer(outbox, take(outbox), end)
    question = take(outbox, 10.1)

    assert outbox.handle_verification(question.number, Verification(), 10.1, 0.0).maybe_duplicated == 0
    answer(outbox, take(outbox, 10.1), TIMEOUT, now=10.1)
    assert take(outbox, 20.2).verify, "nor does it double the wait for others"


@pytest.mark.parametrize(("text", "copies"), [("internal", 1), ("context deadline exceeded", 3)])
def test_what_loki_itself_failed_goes_again_whatever_loki_is_found_to_have(text: str, copies: int) -> None:
    entries = entry(1), entry(2), entry(3)
    outbox = outbox_of(*entries, ask=True)
    answer(outbox, take(outbox), Answer(500, text))
    question = take(outbox, 10.1)
    assert question.verify

    outcome = outbox.handle_verification(
        question.number, Verification(stored=frozenset([entry(2)])), 10.1, 0.0
    )

    assert (outcome.delivered, outcome.maybe_duplicated) == ((), copies)
    assert take(outbox, 10.1).entries == entries


def test_a_verification_without_an_answer_is_given_up_and_its_entries_are_counted() -> None:
    outbox = outbox_of(entry(1), entry(2), ask=True)
    answer(outbox, take(outbox), TIMEOUT)
    now, outcome = 10.1, None
    while outcome is None or not outcome.unanswered:
        now = max(now, outbox.next_ready() or now)
        question = take(outbox, now)
        outcome = outbox.handle_verification(question.number, Verification(failed="503: busy"), now, 0.0)

    assert now < 60.0
    assert (outcome.maybe_duplicated, outcome.unanswered) == (2, "503: busy")
    again = take(outbox, now)
    assert (again.verify, again.entries) == (False, (entry(1), entry(2)))
    answer(outbox, again, Answer(silence=Silence.UNREACHABLE), now)
    assert take(outbox, now + 40.0).verify, "what was in doubt is asked for once it can be"


def test_a_loki_that_cannot_be_reached_is_asked_until_it_answers() -> None:
    outbox = outbox_of(entry(1), ask=True)
    answer(outbox, take(outbox), TIMEOUT)
    now = 10.1
    for _ in range(50):
        question = take(outbox, now)
        assert question.verify
        verification = Verification(failed="connection refused", unreachable=True)
        assert not outbox.handle_verification(question.number, verification, now, 0.0).maybe_duplicated
        now += 10.1


def test_what_is_older_than_loki_has_said_to_accept_is_rejected_without_being_sent() -> None:
    outbox = Outbox(5, ask=False, most_entries=MOST)
    entries = [replace(entry(each), timestamp=entry(0).timestamp + each * 10**9) for each in range(6)]
    outbox.add(entries)
    moment = datetime.fromtimestamp(entries[4].timestamp // 10**9, UTC).isoformat()
    text = f"entry has timestamp too old: then, oldest acceptable timestamp is: {moment}"
    first = take(outbox)
    assert answer(outbox, first, Answer(400, text)).refused

    sent = taken(outbox)

    assert [each for push in sent for each in push] == entries[4:]
    rejected = outbox.age_limit.take()
    assert [each.entry for each in rejected] == entries[1:4]
    assert {each.reason for each in rejected} == {DropReason.TOO_OLD}
    assert not outbox.age_limit.take()


def test_slow_queries_leave_threads_to_pushes() -> None:
    outbox = Outbox(5, ask=True, most_entries=MOST)
    for number in range(6):
        outbox.add([entry(number, stream=(("machine", str(number)),))])
    for push in [take(outbox) for _ in range(6)]:
        answer(outbox, push, TIMEOUT)
    outbox.add([entry(7, stream=(("machine", "7"),))])

    left = [outbox.take(10.1) for _ in range(4)]

    assert sorted(each.verify for each in left if each) == [False, True, True]


def test_later_entries_wait_behind_one_that_is_too_new_and_earlier_ones_do_not() -> None:
    outbox = outbox_of(*(entry(number) for number in range(1, 5)))
    answer(outbox, take(outbox), TOO_NEW)
    answer(outbox, take(outbox), DELIVERED)
    answer(outbox, take(outbox), DELIVERED)
    refused = take(outbox)
    outcome = answer(outbox, refused, TOO_NEW)

    assert outbox.take(0.0) is None, "the entry behind it is as new"
    assert outcome.wait == 30.0
    assert [each.entries for each in outbox.parked] == [refused.entries]
    assert outbox.set_aside == 2
    outbox.add([entry(1, size=7)])
    assert take(outbox).entries == (entry(1, size=7),), "an earlier one goes on"
    answer(outbox, outbox.in_flight[max(outbox.in_flight)], DELIVERED)

    again = take(outbox, 30.1)
    assert again.entries == refused.entries
    answer(outbox, again, DELIVERED, 30.1)
    assert take(outbox, 30.1).entries == (entry(4),)
    assert not outbox.parked


def test_a_line_that_a_filter_blocks_is_parked_by_the_evidence_of_its_own_stream() -> None:
    outbox = outbox_of(*(entry(number) for number in range(1, 33)))
    now, stored = 0.0, list[Entry]()
    while not outbox.parked:
        now = max(now, outbox.next_ready() or now)
        push = take(outbox, now)
        blocked = entry(20) in push.entries
        answer(outbox, push, Answer(403, "blocked by a rule") if blocked else DELIVERED, now)
        stored += () if blocked else push.entries

    assert len(stored) == 31
    assert [push.entries for push in outbox.parked] == [(entry(20),)]
    assert now < 60.0


def test_a_single_entry_too_large_is_cut_to_smaller_parts() -> None:
    outbox = outbox_of(entry(1, size=100_000))
    outcome = answer(outbox, take(outbox), Answer(413, "too large"))

    assert (outcome.too_long, outcome.line_limit) == ((entry(1, size=100_000),), 50_000)


def test_what_is_still_on_its_way_counts_once() -> None:
    outbox = outbox_of(entry(1), entry(2), ask=True)
    answer(outbox, take(outbox), TIMEOUT)
    counted = outbox.handle_verification(
        take(outbox, 10.1).number, Verification(), 10.1, 0.0
    ).maybe_duplicated

    answer(outbox, take(outbox, 10.1), TOO_OLD, now=10.1)
    question = take(outbox, 10.1)

    assert question.verify
    again = outbox.handle_verification(question.number, Verification(stored=frozenset([entry(1)])), 10.1, 0.0)
    assert (counted, again.maybe_duplicated) == (2, 0)


def test_each_push_that_was_not_there_in_time_counts_and_doubles_the_time_of_all() -> None:
    outbox = outbox_of(entry(1), entry(2), ask=True)
    now, counted, waits = 0.0, 0, []
    for _ in range(6):
        answer(outbox, take(outbox, now), TIMEOUT, now)
        waits.append((outbox.next_ready() or 0.0) - now)
        now += waits[-1]
        question = take(outbox, now)
        counted += outbox.handle_verification(question.number, Verification(), now, 0.0).maybe_duplicated

    assert waits == pytest.approx([10.0, 20.0, 40.0, 80.0, 80.0, 80.0])
    assert counted == 6 * 2
    answer(outbox, take(outbox, now), DELIVERED, now)
    outbox.add([entry(3)])
    answer(outbox, take(outbox, now), TIMEOUT, now)
    assert take(outbox, now + 10.1).verify


def test_pushes_that_were_not_there_at_the_same_time_double_the_wait_once() -> None:
    outbox = outbox_of(entry(1), ask=True)
    outbox.add([entry(2, stream=RESPONSES)])
    for push in (take(outbox), take(outbox)):
        answer(outbox, push, TIMEOUT)
    for question in (take(outbox, 10.1), take(outbox, 10.1)):
        outbox.handle_verification(question.number, Verification(), 10.1, 0.0)

    for push in (take(outbox, 10.1), take(outbox, 10.1)):
        answer(outbox, push, TIMEOUT, now=10.1)

    assert outbox.take(30.0) is None
    assert take(outbox, 30.2).verify


def test_what_an_earlier_process_pushed_and_loki_has_not_is_counted() -> None:
    outbox = outbox_of(ask=True)
    outbox.verify([entry(1), entry(2)], not_before=10.0)
    question = take(outbox, 10.0)

    assert (
        outbox.handle_verification(question.number, Verification(failed="503"), 10.0, 0.0).maybe_duplicated
        == 0
    )
    question = take(outbox, 20.0)
    verification = Verification(stored=frozenset([entry(1)]))
    assert outbox.handle_verification(question.number, verification, 20.0, 0.0).maybe_duplicated == 1


def test_a_question_without_an_answer_is_asked_again() -> None:
    outbox = outbox_of(entry(1), ask=True)
    answer(outbox, take(outbox), TIMEOUT, now=0.0)
    question = take(outbox, 10.1)

    outbox.handle_verification(question.number, Verification(failed="503"), 10.1, 0.0)

    assert take(outbox, 20.2).verify


@pytest.mark.parametrize("trouble", [TOO_OLD, STREAM_COUNT])
def test_after_a_refusal_that_may_be_of_a_part_loki_is_asked_before_entries_go_alone(trouble: Answer) -> None:
    outbox = outbox_of(entry(1), entry(2), entry(3), ask=True)
    answer(outbox, take(outbox), trouble)
    question = take(outbox)
    assert question.verify

    outbox.handle_verification(
        question.number, Verification(stored=frozenset([entry(1), entry(3)])), 0.0, 0.0
    )

    assert take(outbox).entries == (entry(2),)


@dataclass
class ModelLoki:
    """Stores what it takes: nothing an hour behind the newest of a stream, nothing marked bad."""

    bad: set[int]
    stored: list[Entry] = field(default_factory=list)
    newest: dict[Pairs, int] = field(default_factory=dict)
    held: list[tuple[Entry, ...]] = field(default_factory=list)

    def push(self, entries: Iterable[Entry]) -> Answer:
        texts = []
        for each in entries:
            if each.span.start in self.bad:
                texts.append(TOO_OLD.text)
            elif each.timestamp < self.newest.get(each.stream, 0) - 60 * MINUTE:
                texts.append(TOO_FAR.text)
            else:
                self.stored.append(each)
                self.newest[each.stream] = max(self.newest.get(each.stream, 0), each.timestamp)
        return Answer(400, texts[0]) if texts else DELIVERED

    def let_go(self) -> None:
        """Take the push that a gateway has held for longest."""
        if self.held:
            self.push(self.held.pop(0))

    def verification(self, entries: Iterable[Entry]) -> Verification:
        return Verification(stored=frozenset(entries) & frozenset(self.stored))


FAULTS = st.sampled_from(
    ["none", "none", "down", "lost", "stored_lost", "held", "limit", "count", "large", "503"]
)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.floats(-300, 300), st.booleans()), min_size=1, max_size=25),
    st.sets(st.integers(0, 24).map(lambda number: number * 100), max_size=3),
    st.lists(FAULTS, max_size=30),
    st.booleans(),
)
def test_whatever_loki_does_each_entry_is_stored_or_was_refused_alone(
    made: list[tuple[float, bool]],
    bad: set[int],
    faults: list[str],
    ask: bool,  # noqa: FBT001 - hypothesis gives it by position
) -> None:
    loki, outbox = ModelLoki(bad), Outbox(5, ask=ask, most_entries=MOST)
    entries = [
        entry(number, minutes=minutes, stream=RESPONSES if other else STREAM)
        for number, (minutes, other) in enumerate(made)
    ]
    for stream in (STREAM, RESPONSES):
        if batch := [each for each in entries if each.stream == stream]:
            outbox.add(batch)
    settled: list[int] = []
    copies, now = 0, 0.0
    in_flight: list[Push] = []
    for step in range(3000):
        while (leaving := outbox.take(now)) is not None:
            in_flight.append(leaving)
        pushing = [each.stream for each in in_flight if not each.verify]
        assert len(pushing) == len(set(pushing))
        if not in_flight:
            ready = outbox.next_ready()
            if ready is None:
                break
            now = max(now, ready)
            continue
        if step % 7 == 0:
            loki.let_go()
        push = in_flight.pop(step % len(in_flight))
        fault = faults[step] if step < len(faults) else "none"
        outcome = _exchange(loki, outbox, push, fault, now)
        copies += outcome.maybe_duplicated
        for refused in outcome.refused:
            assert len(push.entries) == 1
            assert refused.entry.span.start in bad
        assert {each.span for each in outcome.delivered} <= {each.span for each in loki.stored}
        settled += [each.span.start for each in outcome.delivered]
        settled += [each.entry.span.start for each in outcome.refused]

    assert outbox.empty
    assert sorted(settled) == [each.span.start for each in entries]
    while loki.held:
        loki.let_go()
    assert len(loki.stored) - len({each.span for each in loki.stored}) <= copies


def _exchange(loki: ModelLoki, outbox: Outbox, push: Push, fault: str, now: float) -> Outcome:
    if push.verify:
        verification = Verification(failed="503") if fault == "503" else loki.verification(push.entries)
        return outbox.handle_verification(push.number, verification, now, 0.5)
    answers = {
        "down": DOWN,
        "lost": TIMEOUT,
        "held": TIMEOUT,
        "limit": TENANT,
        "count": STREAM_COUNT,
        "503": Answer(503),
        "large": TOO_LARGE if len(push.entries) > 1 else DOWN,
    }
    if fault == "held":
        loki.held.append(push.entries)
    reply = answers.get(fault) or loki.push(push.entries)
    return outbox.handle_answer(push.number, TIMEOUT if fault == "stored_lost" else reply, now, 0.5)


def test_the_meaning_travels_with_the_outcome() -> None:
    outbox = outbox_of(entry(1))

    assert answer(outbox, take(outbox), DELIVERED).meaning is Meaning.DELIVERED
