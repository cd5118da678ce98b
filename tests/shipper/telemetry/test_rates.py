from shipper.telemetry.rates import History, Point


def test_a_point_is_made_every_ten_seconds_and_tells_the_rate_since_the_last() -> None:
    history = History()
    for second in range(26):
        history.note(total=second * 100, lag_bytes=second, now=50.0 + second, wall=1_000.0 + second)

    assert history.points == (Point(1_010, 100.0, 10), Point(1_020, 100.0, 20))


def test_a_quarter_of_an_hour_is_kept() -> None:
    history = History()
    for minute in range(120):
        history.note(0, minute, now=minute * 60.0, wall=minute * 60.0)

    assert len(history.points) == 90
    assert history.points[-1].lag_bytes == 119
