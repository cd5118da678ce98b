"""What is counted on a line's way, through the whole pipeline, with Loki's answers and the clock in hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shipper.loki.push.push import Answer, Push, Silence, Verification
from tests.shipper.flow import Flow
from tests.shipper.rig import append, line

DELIVERED = Answer(204)
OLD = Answer(400, "entry has timestamp too old")


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    made = Flow(tmp_path)
    yield made
    made.pipeline.close()


def size(push: Push) -> tuple[int, int]:
    return len(push.entries), push.size


def test_latency_is_from_the_line_s_time_to_the_acknowledgement(flow: Flow) -> None:
    flow.write(3, age=20)

    written = flow.wall - 20
    flow.answer(DELIVERED, after=2)
    first = flow.wall - written
    flow.answer(DELIVERED, after=50)
    others = flow.wall - written

    assert flow.metrics.latency.count == flow.metrics.entries_sent == 3
    assert flow.metrics.latency.total == pytest.approx(first + 2 * others)
    assert dict(flow.metrics.latency.buckets())["30.0"] == 1


def test_a_long_line_counts_once_when_its_last_part_is_there(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    append(tmp_path / "host" / "day" / "20260101-000000-00000001.jsonl", line(1, flow.wall, 600_000))

    first = flow.answer(DELIVERED)
    assert flow.metrics.latency.count == 0
    while flow.metrics.parts_sent < first.entries[0].parts - 1:
        flow.answer(DELIVERED)

    assert flow.metrics.latency.count == flow.metrics.entries_sent == 1
    flow.pipeline.close()


def test_what_loki_refuses_has_no_latency(flow: Flow) -> None:
    flow.write(1)

    flow.answer(OLD)

    assert flow.metrics.entries_dropped == 1
    assert flow.metrics.latency.count == 0
    assert flow.retried == (0, 0)


def test_entries_of_a_push_that_failed_are_retried_each_time(flow: Flow) -> None:
    flow.write(1)

    pushes = [
        flow.answer(Answer(silence=Silence.UNREACHABLE)),
        flow.answer(Answer(401)),
        flow.answer(DELIVERED),
    ]

    assert flow.retried == (2, 2 * pushes[0].size)
    assert flow.metrics.answers == dict.fromkeys(flow.metrics.answers, 0) | {"none": 1, "401": 1, "204": 1}


def test_what_loki_has_of_an_unanswered_push_is_not_retried(flow: Flow) -> None:
    flow.write(4)
    flow.answer(DELIVERED)

    push = flow.answer(Answer(silence=Silence.TIMEOUT))
    assert flow.retried == (0, 0)
    flow.answer(Verification(failed="503"))
    assert flow.retried == (0, 0)
    flow.answer(Verification(stored=frozenset(push.entries[:1])))

    assert flow.retried == (2, sum(each.size for each in push.entries[1:]))
    assert flow.metrics.latency.count == 2


def test_where_loki_is_not_asked_all_of_an_unanswered_push_is_retried(tmp_path: Path) -> None:
    flow = Flow(tmp_path, verify_on_start=False)
    flow.write(4)
    flow.answer(DELIVERED)

    push = flow.answer(Answer(silence=Silence.TIMEOUT))

    assert flow.retried == size(push)
    flow.pipeline.close()


def test_a_push_that_is_divided_is_retried_in_parts(flow: Flow) -> None:
    flow.write(4)
    flow.answer(DELIVERED)

    push = flow.answer(Answer(413))

    assert flow.retried == size(push) == (3, push.size)


def test_a_status_that_is_not_known_counts_as_another(flow: Flow) -> None:
    flow.write(1)

    flow.answer(Answer(418))

    assert flow.metrics.answers["other"] == 1
