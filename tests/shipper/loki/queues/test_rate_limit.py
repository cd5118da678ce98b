from shipper.loki.queues.rate_limit import RateLimit

MEGABYTE = 1 << 20


def test_without_a_limit_met_nothing_waits() -> None:
    rate_limit = RateLimit()
    rate_limit.spend(100 * MEGABYTE, now=1.0)

    assert rate_limit.ready_at() == 0.0


def test_after_a_limit_pushes_leave_below_the_printed_rate() -> None:
    rate_limit = RateLimit()
    rate_limit.slow_down(4.0 * MEGABYTE, MEGABYTE, now=0.0)
    start = rate_limit.ready_at()
    now = start
    for _ in range(20):
        now = max(now, rate_limit.ready_at())
        rate_limit.spend(MEGABYTE, now)

    rate = 20 * MEGABYTE / (rate_limit.ready_at() - start)
    assert 3.5 * MEGABYTE < rate < 4.0 * MEGABYTE


def test_a_limit_met_again_halves_the_rate_and_success_raises_it_to_the_limit_again() -> None:
    rate_limit = RateLimit()
    rate_limit.slow_down(4.0 * MEGABYTE, MEGABYTE, now=0.0)
    first = rate_limit.rate
    rate_limit.slow_down(4.0 * MEGABYTE, MEGABYTE, now=1.0)
    assert first is not None
    assert rate_limit.rate == first / 2

    for second in range(2, 60):
        rate_limit.speed_up(float(second))
    assert rate_limit.rate == first


def test_a_limit_that_was_not_met_for_ten_minutes_is_tried_again() -> None:
    rate_limit = RateLimit()
    rate_limit.slow_down(4.0 * MEGABYTE, MEGABYTE, now=0.0)
    ceiling = rate_limit.rate
    rate_limit.speed_up(599.0)
    assert rate_limit.rate == ceiling

    rate_limit.speed_up(600.0)
    rate_limit.spend(100 * MEGABYTE, now=600.0)
    assert rate_limit.ready_at() <= 600.0

    rate_limit.slow_down(4.0 * MEGABYTE, MEGABYTE, now=601.0)
    assert rate_limit.rate == ceiling


def test_the_rate_never_falls_to_a_standstill() -> None:
    rate_limit = RateLimit()
    for second in range(100):
        rate_limit.slow_down(None, 10, now=float(second))

    assert rate_limit.rate is not None
    assert rate_limit.rate >= 64 * 1024
