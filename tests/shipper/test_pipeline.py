"""What holds over the whole path: what a process that is killed leaves to the next one."""

from pathlib import Path

from shipper.loki.push import Answer
from tests.shipper.flow import Flow

DELIVERED = Answer(204)


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
    assert asked.question
    assert asked.entries == pushed.entries


def test_where_no_checkpoint_can_be_written_lines_leave_all_the_same(tmp_path: Path) -> None:
    (tmp_path / ".llm-loki-ship").write_text("in the way")
    flow = Flow(tmp_path)
    flow.write(3)

    assert sum(len(flow.answer(DELIVERED).entries) for _ in range(2)) == 3
    assert flow.metrics.events["checkpoint.failed"]
