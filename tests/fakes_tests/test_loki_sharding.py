"""Streams that Loki splits by itself, and copies: sections 3 and 9 of the recorded facts."""

from collections.abc import Callable

from tests.fakes.loki.entry import Labels
from tests.fakes.loki.logql import LogQuery, Metric, parse
from tests.fakes.loki.query import Reader, Window
from tests.fakes.loki.times import NANOS
from tests.fakes_tests.clocked import APP, HOUR, KIB, NOW, Loki, entry, sized

OLD = 2 * HOUR


def shard_labels(loki: Loki) -> set[str]:
    return {dict(labels).get("__stream_shard__", "") for labels in loki.distributor.ingester.streams}


def counted(loki: Loki) -> tuple[int, int]:
    """Return what a log query shows, and what a metric query counts."""
    reader = Reader(loki.distributor.ingester, loki.limits, loki.now)
    query, metric = parse('{app="a"}'), parse('sum(count_over_time({app="a"}[3h]))')
    assert isinstance(query, LogQuery)
    assert isinstance(metric, Metric)
    rows = reader.logs(query, Window(NOW - 3 * HOUR, loki.now + HOUR), 0, backward=False)
    return len(rows), int(sum(reader.vector(metric, loki.now + 60 * NANOS).values()))


def busy(loki: Loki, size: int, pushes_a_second: int, seconds: int) -> list[int]:
    """Push at a steady rate and return the statuses."""
    statuses = []
    for number in range(pushes_a_second * seconds):
        half = [sized(size // 2, f"{number}-{part}", loki.now + part) for part in (0, 1)]
        statuses.append(loki.push(*half).status)
        loki.now += NANOS // pushes_a_second
    return statuses


def test_a_push_of_1_mb_is_split_from_a_moderate_rate_on() -> None:
    loki = Loki()
    busy(loki, 256 * KIB, 2, 1)
    assert shard_labels(loki) == {""}
    loki = Loki(max_line_size=0)
    busy(loki, 1000 * KIB, 1, 6)
    assert shard_labels(loki) > {""}


def test_small_pushes_at_a_higher_rate_are_not_split() -> None:
    loki = Loki()
    busy(loki, 220 * KIB, 5, 20)
    assert shard_labels(loki) == {""}


def test_a_busy_stream_answers_204_and_loses_an_old_entry() -> None:
    loki = Loki(max_line_size=0, ingestion_rate_mb=64, ingestion_burst_size_mb=64)
    busy(loki, 1000 * KIB, 1, 6)
    told = []
    for number in range(8):
        old = entry(f"old {number}", NOW - OLD)
        told.append(
            loki.push(old, *(sized(200 * KIB, f"{number}.{n}", loki.now + n) for n in range(4))).status
        )
        loki.now += NANOS // 2
    assert 204 in told
    assert not any(line.startswith("old") for line in loki.lines)
    assert loki.discarded["too_far_behind"] == 8


def test_a_push_of_one_entry_tells_the_truth_even_when_sharded() -> None:
    loki = Loki(shards=3)
    # A shard is a stream of its own, with a newest time of its own.
    for number in range(3):
        assert loki.push(entry(f"new {number}")).status == 204
    assert loki.push(entry("old", NOW - OLD)).status == 400


def test_a_copy_on_another_shard_is_another_stream() -> None:
    loki = Loki(shards=2)
    for _ in range(3):
        loki.push(entry("same"))
    assert shard_labels(loki) == {"0", "1"}
    assert counted(loki)[0] == 2


def pushed_twice(loki: Loki, lines: Callable[[], list[str]]) -> tuple[int, int]:
    for _ in range(2):
        for number, line in enumerate(lines()):
            loki.push(entry(line, NOW + number))
    return counted(loki)


def test_small_copies_are_dropped_when_written() -> None:
    assert pushed_twice(Loki(), lambda: list("abcde")) == (5, 5)


def test_large_copies_are_hidden_from_log_queries_and_counted_by_metric_queries() -> None:
    def loki() -> Loki:
        return Loki(max_line_size=0, grpc_server_max_recv_msg_size=1 << 26)

    assert pushed_twice(loki(), lambda: [mark * 300 * KIB for mark in "abc"]) == (3, 6)
    assert pushed_twice(loki(), lambda: [f"{n:04}" * 256 for n in range(600)]) == (600, 1200)


def test_the_same_line_with_other_metadata_is_another_entry() -> None:
    loki = Loki()
    loki.push(entry("l", session="1"), entry("l", session="2"))
    loki.push(entry("l", session="1"))
    assert counted(loki) == (2, 2)


def test_order_of_metadata_does_not_matter() -> None:
    loki = Loki()
    loki.push(entry("l", a="1", b="2"))
    loki.push(entry("l", b="2", a="1"))
    assert counted(loki) == (1, 1)


def test_the_labels_of_a_shard_hold_the_streams_own() -> None:
    loki = Loki(shards=2)
    loki.push(entry("a"), entry("b"))
    own: Labels = (*APP, ("service_name", "a"))
    assert all(set(own) < set(labels) for labels in loki.distributor.ingester.streams)
