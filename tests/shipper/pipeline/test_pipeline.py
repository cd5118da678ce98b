"""What holds over the whole path: what a process that is killed leaves to the next one."""

from pathlib import Path

from shipper.checkpoint.store import CheckpointStore
from shipper.loki.push.push import Answer
from tests.shipper.flow import Flow
from tests.shipper.rig import append, line

DELIVERED = Answer(204)
NO_ROOM = Answer(429, "maximum active stream limit exceeded when trying to create stream {}")


def test_of_a_file_that_was_just_found_a_killed_process_has_told_what_it_pushed(tmp_path: Path) -> None:
    """Else its lines would go twice, and nothing would count them."""
    killed = Flow(tmp_path)
    killed.write(1)
    killed.answer(DELIVERED)
    killed.pipeline.step(set(), killed.now, killed.wall)
    killed.pass_time(0.1)
    pushed = killed.push(killed.write(1, session=2))

    following = Flow(tmp_path)

    asked = following.push()
    assert asked.verify
    assert asked.entries == pushed.entries


def test_what_two_streams_had_under_way_is_asked_for_stream_by_stream(tmp_path: Path) -> None:
    killed = Flow(tmp_path)
    append(killed.write(1), line(1, killed.wall).replace(b'"request"', b'"response"'))
    pushed = [killed.push(), killed.push()]
    assert len({each.stream for each in pushed}) == 2

    following = Flow(tmp_path)

    asked = [following.push(), following.push()]
    assert all(each.verify for each in asked)
    assert {each.stream: each.entries for each in asked} == {each.stream: each.entries for each in pushed}


def test_the_checkpoint_passes_a_line_only_when_loki_has_acknowledged_it(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    path = flow.write(1)
    push = flow.push()

    def saved() -> list[int]:
        flow.pass_time(2.0)
        flow.pipeline.step(set(), flow.now, flow.wall)
        return [each.offset for each in CheckpointStore(tmp_path / ".llm-loki-ship").load().files]

    assert saved() == [0]
    flow.pipeline.handle_answer(push.number, DELIVERED, flow.now, flow.wall)
    assert saved() == [path.stat().st_size]


def test_where_no_checkpoint_can_be_written_lines_leave_all_the_same(tmp_path: Path) -> None:
    (tmp_path / ".llm-loki-ship").write_text("in the way")
    flow = Flow(tmp_path)
    flow.write(3)

    assert sum(len(flow.answer(DELIVERED).entries) for _ in range(2)) == 3
    assert flow.metrics.events["checkpoint.failed"]


def test_what_goes_again_since_a_part_was_too_long_is_counted(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    path = flow.write(1)
    append(path, line(1, flow.wall, 600_000), line(2, flow.wall))
    while not flow.metrics.maybe_duplicated:
        push = flow.push()
        parts = any(each.part for each in push.entries)
        told = Answer(400, "max entry size '50000'") if parts and len(push.entries) == 1 else DELIVERED
        flow.pipeline.handle_answer(push.number, told, flow.now, flow.wall)

    assert flow.metrics.maybe_duplicated == 1, "the line behind it"


def test_a_backlog_goes_on_past_a_stream_that_loki_has_no_room_for(tmp_path: Path) -> None:
    flow = Flow(tmp_path)
    for number in range(10):
        request = line(number, flow.wall - 1200 * (10 - number))
        append(flow.write(0, session=1), request)
        append(flow.write(0, session=2), request.replace(b'"request"', b'"response"'))
    taken = refused = 0
    for _ in range(1000):
        if taken == 10:
            break
        push = flow.push()
        if ("log_type", "response") in push.stream:
            flow.pipeline.handle_answer(push.number, NO_ROOM, flow.now, flow.wall)
            refused += 1
        else:
            flow.pipeline.handle_answer(push.number, DELIVERED, flow.now, flow.wall)
            taken += len(push.entries)

    assert taken == 10
    assert refused
    assert flow.metrics.entries_sent == 10
    assert flow.pipeline.intake.lag.unsettled
    while flow.pipeline.intake.lag.unsettled:
        flow.answer(DELIVERED)
    assert flow.metrics.entries_sent == 20
