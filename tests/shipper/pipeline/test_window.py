from hypothesis import given
from hypothesis import strategies as st

from shipper.pipeline.window import AHEAD_NANOSECONDS, WINDOW_NANOSECONDS, Window

MINUTE = 60 * 1_000_000_000
NOW = 1_795_435_200 * 1_000_000_000


def test_at_first_nothing_is_admitted_and_nothing_waits() -> None:
    window = Window()

    assert not window.admits(NOW)
    assert window.earliest is None
    assert not window.has_next(NOW)
    assert not window.move_on(NOW, None)


def test_a_window_opens_at_the_earliest_line_that_waits() -> None:
    window = Window()
    window.block(1, NOW - 90 * MINUTE)
    window.block(2, NOW - 80 * MINUTE)
    window.block(3, NOW - 60 * MINUTE)

    assert window.earliest == NOW - 90 * MINUTE
    assert sorted(window.move_on(NOW, None)) == [1, 2]
    assert window.admits(NOW - 75 * MINUTE)
    assert not window.admits(NOW - 75 * MINUTE + 1)
    assert window.move_on(NOW, None) == [3]
    assert window.earliest is None


def test_what_is_too_far_ahead_for_loki_waits_for_its_clock() -> None:
    window = Window()
    window.block(1, NOW + 50 * MINUTE)

    assert not window.has_next(NOW)
    assert not window.move_on(NOW, None)
    later = NOW + 50 * MINUTE - AHEAD_NANOSECONDS
    assert not window.has_next(later - 1)
    assert window.move_on(later, None) == [1]
    assert window.end == NOW + 50 * MINUTE


def test_a_line_ahead_holds_up_no_other_file() -> None:
    window = Window()
    window.block(1, NOW + 50 * MINUTE)
    window.block(2, NOW)

    assert window.move_on(NOW, None) == [2]
    assert window.end == NOW + AHEAD_NANOSECONDS


def test_a_file_that_is_forgotten_waits_no_more() -> None:
    window = Window()
    window.block(1, NOW - MINUTE)
    window.block(2, NOW)
    window.forget(1)
    window.forget(1)

    assert window.earliest == NOW
    assert window.move_on(NOW, None) == [2]


def test_only_the_last_block_of_a_file_counts() -> None:
    window = Window()
    window.block(1, NOW - 90 * MINUTE)
    window.block(1, NOW)

    assert window.earliest == NOW
    assert window.move_on(NOW, None) == [1]
    assert window.move_on(NOW, None) == []


def test_the_window_moves_on_when_the_oldest_lines_of_it_are_settled() -> None:
    window = Window()
    window.block(1, NOW - 90 * MINUTE)
    window.block(2, NOW - 70 * MINUTE)
    assert window.move_on(NOW, None) == [1]

    assert window.move_on(NOW, NOW - 90 * MINUTE) == []
    assert window.move_on(NOW, NOW - 87 * MINUTE) == [], "in few steps"
    assert window.move_on(NOW, NOW - 82 * MINUTE) == [2]
    assert window.end == NOW - 67 * MINUTE


def test_lines_under_way_hold_the_window_to_its_length() -> None:
    window = Window()
    window.block(1, NOW - 90 * MINUTE)
    window.move_on(NOW, None)
    window.block(1, NOW - 74 * MINUTE)

    assert window.move_on(NOW, NOW - 90 * MINUTE) == []
    assert not window.admits(NOW - 74 * MINUTE)


def test_an_older_line_under_way_does_not_draw_the_window_back() -> None:
    window = Window()
    window.block(1, NOW - 90 * MINUTE)
    window.move_on(NOW, None)
    end = window.end
    window.block(1, NOW - 60 * MINUTE)

    assert window.move_on(NOW, NOW - 300 * MINUTE) == []
    assert window.end == end


@given(st.lists(st.integers(-10 * 60, 70), min_size=1, max_size=30))
def test_windows_never_go_back_and_leave_nobody_waiting(minutes: list[int]) -> None:
    window = Window()
    for file_id, minute in enumerate(minutes):
        window.block(file_id, NOW + minute * MINUTE)
    now, ends, released = NOW, [0], []

    while window.earliest is not None:
        if not window.has_next(now):
            now = window.earliest - AHEAD_NANOSECONDS
        opened = window.move_on(now, None)
        assert opened
        released += opened
        times = [NOW + minutes[each] * MINUTE for each in opened]
        assert all(ends[-1] < time <= window.end for time in times)
        assert window.end <= min(min(times) + WINDOW_NANOSECONDS, now + AHEAD_NANOSECONDS)
        ends.append(window.end)

    assert sorted(released) == list(range(len(minutes)))
