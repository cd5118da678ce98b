from shipper.loki.queues.rate_limit import Pace

MEGABYTE = 1 << 20


def test_without_a_limit_met_nothing_waits() -> None:
    pace = Pace()
    pace.spend(100 * MEGABYTE, now=1.0)

    assert pace.ready_at() == 0.0


def test_after_a_limit_pushes_leave_below_the_printed_rate() -> None:
    pace = Pace()
    pace.slow_down(4.0 * MEGABYTE, MEGABYTE, now=0.0)
    start = pace.ready_at()
    now = start
    for _ in range(20):
        now = max(now, pace.ready_at())
        pace.spend(MEGABYTE, now)

    rate = 20 * MEGABYTE / (pace.ready_at() - start)
    assert 3.5 * MEGABYTE < rate < 4.0 * MEGABYTE


def test_a_limit_met_again_halves_the_rate_and_success_raises_it_to_the_limit_again() -> None:
    pace = Pace()
    pace.slow_down(4.0 * MEGABYTE, MEGABYTE, now=0.0)
    first = pace.rate
    pace.slow_down(4.0 * MEGABYTE, MEGABYTE, now=1.0)
    assert first is not None
    assert pace.rate == first / 2

    for second in range(2, 60):
        pace.speed_up(float(second))
    assert pace.rate == first


def test_a_limit_that_was_not_met_for_ten_minutes_is_tried_again() -> None:
    pace = Pace()
    pace.slow_down(4.0 * MEGABYTE, MEGABYTE, now=0.0)
    ceiling = pace.rate
    pace.speed_up(599.0)
    assert pace.rate == ceiling

    pace.speed_up(600.0)
    pace.spend(100 * MEGABYTE, now=600.0)
    assert pace.ready_at() <= 600.0

    pace.slow_down(4.0 * MEGABYTE, MEGABYTE, now=601.0)
    assert pace.rate == ceiling


def test_the_rate_never_falls_to_a_standstill() -> None:
    pace = Pace()
    for second in range(100):
        pace.slow_down(None, 10, now=float(second))

    assert pace.rate is not None
    assert pace.rate >= 64 * 1024
