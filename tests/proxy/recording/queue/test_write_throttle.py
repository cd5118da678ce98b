"""How long the recorder rests between items."""

import pytest

from proxy.recording.queue.write_throttle import WriteThrottle


def test_a_disk_that_works_gives_no_rest() -> None:
    throttle = WriteThrottle()

    assert throttle.rest(0.001) == 0
    throttle.flushed(0.02)
    assert throttle.rest(0.001) == 0


def test_behind_a_slow_disk_each_item_is_followed_by_a_rest_as_long() -> None:
    throttle = WriteThrottle()
    throttle.flushed(2.0)

    assert [throttle.rest(worked) for worked in (0.001, 0.004)] == [0.001, 0.004]


def test_no_rest_is_long() -> None:
    throttle = WriteThrottle()
    throttle.flushed(2.0)

    assert throttle.rest(1.0) == pytest.approx(0.02)


def test_all_rests_together_are_no_longer_than_the_flush_before() -> None:
    throttle = WriteThrottle()
    throttle.flushed(0.1)

    assert sum(throttle.rest(0.015) for _ in range(20)) == pytest.approx(0.1)


def test_time_left_from_a_slow_flush_is_not_kept() -> None:
    throttle = WriteThrottle()
    throttle.flushed(2.0)
    throttle.flushed(0.001)

    assert throttle.rest(0.001) == 0
