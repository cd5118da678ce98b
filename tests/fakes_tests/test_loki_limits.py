"""What Loki refuses and what it keeps: sections 0 and 2 of the recorded facts, on a fake clock."""

from typing import Any

import pytest

from tests.fakes.loki.distributor import Outcome
from tests.fakes.loki.entry import Entry, Labels, Stream
from tests.fakes.loki.times import NANOS
from tests.fakes_tests.clocked import APP, HOUR, KIB, MIB, NOW, OTHER, UNSHARDED, Loki, entry, sized


@pytest.mark.parametrize(
    ("bad", "reason", "text"),
    [
        (sized(256 * KIB + 1, "l"), "line_too_long", "max entry size '262144' bytes exceeded for stream"),
        (entry("l", NOW - 169 * HOUR), "greater_than_max_sample_age", "has timestamp too old: 2025-10-02T"),
        (entry("l", NOW + 601 * NANOS), "too_far_in_future", "has timestamp too new: 2025-10-09T"),
        (
            entry("l", k="v" * 64 * KIB),
            "structured_metadata_too_large",
            "structured metadata too large: '65537'",
        ),
        (
            entry("l", **dict[str, Any]({f"k{n}": "v" for n in range(129)})),
            "structured_metadata_too_many",
            "too many structured metadata labels: '129', limit: '128'",
        ),
    ],
)
def test_a_refused_entry_is_400_and_the_rest_is_kept(bad: Entry, reason: str, text: str) -> None:
    loki = Loki()
    outcome = loki.push(entry("good"), bad)
    assert outcome.status == 400
    assert text in outcome.text
    assert loki.lines == ["good"]
    assert loki.discarded == {reason: 1}


@pytest.mark.parametrize(
    "good",
    [
        sized(256 * KIB, "l"),
        entry("l", NOW - 167 * HOUR),
        entry("l", NOW + 599 * NANOS),
        entry("l", k="v" * 65535),
    ],
)
def test_what_is_just_within_a_limit_passes(good: Entry) -> None:
    assert Loki().push(good) == Outcome(204)


def test_like_errors_are_counted_and_unlike_ones_joined() -> None:
    loki = Loki(max_line_size=3)
    outcome = loki.push(entry("long1"), entry("long2"), entry("l", NOW - 200 * HOUR))
    assert outcome.text.startswith("2 errors: 2 errors like: max entry size '3' bytes")
    assert '; entry for stream \'{app="a", service_name="a"}\' has timestamp too old' in outcome.text


def test_a_long_line_may_be_cut_instead() -> None:
    loki = Loki(max_line_size=3, max_line_size_truncate=True)
    assert loki.push(entry("long")).status == 204
    assert loki.lines == ["lon"]


def test_metadata_may_be_disallowed() -> None:
    loki = Loki(allow_structured_metadata=False)
    outcome = loki.push(entry("bare"), entry("l", k="v"))
    assert "this feature is disallowed" in outcome.text
    assert loki.lines == ["bare"]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        (tuple((f"l{n:02}", "v") for n in range(16)), "has 16 label names; limit 15"),
        ((("n" * 1025, "v"),), "has label name too long"),
        ((("n", "v" * 2049),), "has label value too long"),
        ((("a", "1"), ("a", "2")), "has duplicate label name: 'a'"),
    ],
)
def test_a_label_limit_refuses_its_stream_only(labels: Labels, text: str) -> None:
    loki = Loki()
    outcome = loki.push_streams(Stream(labels, [entry("bad")]), Stream(OTHER, [entry("good")]))
    assert outcome.status == 400
    assert text in outcome.text
    assert loki.lines == ["good"]
    assert loki.discarded["invalid_labels"] == 1


def test_the_added_service_name_does_not_count() -> None:
    loki = Loki()
    assert loki.push(entry("l"), labels=tuple((f"l{n:02}", "v") for n in range(15))).status == 204
    (labels,) = loki.distributor.ingester.streams
    assert ("service_name", "unknown_service") in labels


def test_no_stream_is_422_and_an_empty_one_is_nothing() -> None:
    loki = Loki()
    assert loki.push_streams() == Outcome(422, "error at least one valid stream is required for ingestion")
    assert loki.push() == Outcome(204)


def test_a_bad_metadata_name_is_500_and_nothing_is_stored() -> None:
    loki = Loki()
    outcome = loki.push(entry("good"), Entry(NOW, "l", (("..", "v"),)))
    assert outcome == Outcome(500, 'normalization for label name ".." resulted in invalid name "_"')
    assert loki.lines == []


def test_blocked_ingestion_looks_like_success() -> None:
    blocked = Loki(block_ingestion_until=NOW / NANOS + 60)
    assert blocked.push(entry("l")).status == 260
    quiet = Loki(block_ingestion_until=NOW / NANOS + 60, block_ingestion_status_code=200)
    assert quiet.push(entry("l")) == Outcome(204)
    assert quiet.lines == []


def test_the_tenants_rate_refuses_whole_pushes_until_time_has_passed() -> None:
    loki = Loki(max_line_size=0, grpc_server_max_recv_msg_size=64 * MIB)
    assert loki.push(sized(5 * MIB, "a")).status == 204
    outcome = loki.push(sized(3 * MIB, "b"))
    assert outcome.status == 429
    assert "(limit: 4194304 bytes/sec) while attempting to ingest '1' lines totaling" in outcome.text
    loki.now += NANOS
    assert loki.push(sized(3 * MIB, "b")).status == 204


def test_above_the_burst_no_waiting_helps() -> None:
    loki = Loki(max_line_size=0, grpc_server_max_recv_msg_size=64 * MIB)
    loki.now += HOUR
    assert loki.push(sized(6 * MIB + 1, "a")).status == 429


def test_four_mib_decoded_is_500_and_nothing_is_stored() -> None:
    loki = Loki()
    outcome = loki.push(*(sized(250 * KIB, f"{n}") for n in range(17)))
    assert outcome.status == 500
    assert "ResourceExhausted" in outcome.text
    assert "received message larger than max" in outcome.text
    assert loki.lines == []


def test_more_than_an_hour_behind_the_newest_of_the_stream_is_refused() -> None:
    loki = Loki()
    assert loki.push(entry("new"), entry("hour old", NOW - HOUR)).status == 204
    outcome = loki.push(entry("fine"), entry("older", NOW - HOUR - 1))
    assert outcome.status == 400
    assert "entry with timestamp 2025-10-09 07:53:19.999999999 +0000 UTC ignored" in outcome.text
    assert "entry too far behind" in outcome.text
    assert "user 'fake', total ignored: 1 out of 2 for stream: {app=" in outcome.text
    assert loki.lines == ["new", "hour old", "fine"]


def test_only_the_last_stream_of_a_push_decides() -> None:
    loki = Loki()
    loki.push(entry("new"))
    behind, good = Stream(APP, [entry("gone", NOW - 2 * HOUR)]), Stream(OTHER, [entry("good")])
    assert loki.push_streams(behind, good) == Outcome(204)
    assert loki.push_streams(good, behind).status == 400
    assert loki.lines == ["new", "good"]
    assert loki.discarded == {"too_far_behind": 2}


def test_a_400_can_hide_what_it_refused() -> None:
    loki = Loki()
    loki.push(entry("new"))
    outcome = loki.push(entry("old", NOW - 2 * HOUR), sized(300 * KIB, "long"), entry("good"))
    assert outcome.status == 400
    assert "total ignored: 1 out of 2" in outcome.text
    assert "max entry size" not in outcome.text
    assert loki.lines == ["new", "good"]


def test_at_most_ten_entries_are_named() -> None:
    loki = Loki()
    loki.push(entry("new"))
    outcome = loki.push(*(entry(f"{n}", NOW - 2 * HOUR) for n in range(12)))
    assert outcome.text.count("ignored, reason") == 10
    assert "total ignored: 12 out of 12" in outcome.text


def test_streams_above_the_limit_are_429_and_the_others_kept() -> None:
    loki = Loki(max_global_streams_per_user=1)
    loki.push(entry("first"))
    outcome = loki.push_streams(Stream(APP, [entry("more", NOW + 1)]), Stream(OTHER, [entry("none")]))
    assert outcome.status == 429
    assert "maximum active stream limit exceeded when trying to create stream" in outcome.text
    assert loki.lines == ["first", "more"]


def test_with_sharding_the_rate_of_a_stream_refuses_all_of_it() -> None:
    loki = Loki(per_stream_rate_limit=KIB, per_stream_rate_limit_burst=2 * KIB)
    outcome = loki.push(sized(KIB, "a"), sized(2 * KIB, "b"))
    assert outcome.status == 429
    assert "Per stream rate limit exceeded (limit: 1KB/sec)" in outcome.text
    assert loki.lines == []
    assert loki.discarded == {"per_stream_rate_limit": 2}


def test_without_sharding_it_is_decided_entry_by_entry() -> None:
    loki = Loki(**UNSHARDED, per_stream_rate_limit=KIB, per_stream_rate_limit_burst=2 * KIB)
    outcome = loki.push(*(sized(900, mark) for mark in "abc"))
    assert outcome.status == 429
    assert [line[0] for line in loki.lines] == ["a", "b"]


def test_without_sharding_a_400_can_hide_rate_limited_entries() -> None:
    loki = Loki(**UNSHARDED, per_stream_rate_limit=1, per_stream_rate_limit_burst=300)
    loki.push(entry("new"))
    outcome = loki.push(entry("good"), sized(500, "limited"), entry("old", NOW - 2 * HOUR))
    assert outcome.status == 400
    assert loki.discarded == {"per_stream_rate_limit": 1, "too_far_behind": 1}


def test_without_sharding_blind_repeats_spend_the_tokens_on_copies() -> None:
    loki = Loki(**UNSHARDED, per_stream_rate_limit=300 * KIB, per_stream_rate_limit_burst=400 * KIB)
    batch = [sized(80 * KIB, f"{n:02}", NOW + n) for n in range(12)]
    outcomes = []
    for _ in range(60):
        outcomes.append(loki.push(*batch).status)
        loki.now += NANOS // 5
    assert set(outcomes) == {429}
    assert loki.copies > len(loki.lines)


def test_required_labels() -> None:
    assert "missing required labels team" in Loki(enforced_labels=("team",)).push(entry("l")).text


def test_times_that_repeat_can_be_moved_by_loki() -> None:
    loki = Loki(increment_duplicate_timestamp=True)
    loki.push(entry("a"), entry("b"), entry("c"), entry("c"))
    (stream,) = loki.distributor.ingester.streams.values()
    placed = sorted((each.ts - NOW, each.line) for each in stream.copies)
    assert placed == [(0, "a"), (0, "c"), (1, "b"), (2, "c")]
