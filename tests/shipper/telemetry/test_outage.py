from shipper.telemetry.outage import Backlog, Outage, Repeats, Standstill, Turn


def turns(outage: Outage, until: int, *, failing: bool = True) -> list[tuple[int, Turn]]:
    looks = ((now, outage.see(float(now), failing=failing, since=None)) for now in range(until))
    return [(now, turn) for now, turn in looks if turn is not Turn.NOTHING]


def test_an_outage_is_told_when_it_begins_and_ever_more_rarely() -> None:
    told = turns(Outage(), 3600)

    assert told[0] == (0, Turn.BEGAN)
    assert [(now, turn) for now, turn in told[1:]] == [
        (now, Turn.LASTS) for now in (60, 180, 420, 900, 1800, 2700)
    ]


def test_its_end_is_told_with_how_long_it_was() -> None:
    outage = Outage()
    outage.see(20.0, failing=True, since=5.0)

    assert outage.see(35.0, failing=False, since=None) is Turn.ENDED
    assert outage.lasted(35.0) == 30.0
    outage.end()
    assert outage.see(36.0, failing=False, since=None) is Turn.NOTHING
    assert outage.lasted(36.0) == 0.0


def test_of_many_short_outages_the_first_is_told_and_one_that_lasts() -> None:
    outage = Outage()
    told = []
    for now in range(300):
        turn = outage.see(float(now), failing=now % 20 < 10 or now > 200, since=None)
        if turn is Turn.ENDED:
            outage.end()
        if turn is not Turn.NOTHING:
            told.append((now, turn))

    assert told == [(0, Turn.BEGAN), (10, Turn.ENDED), (260, Turn.BEGAN)]


def test_a_standstill_lasts_while_the_end_of_the_queue_is_the_same() -> None:
    standstill = Standstill()

    assert [standstill.see(7, now) for now in (1.0, 40.0)] == [1.0, 1.0]
    assert standstill.see(8, 41.0) == 41.0
    assert standstill.see(None, 42.0) is None
    assert standstill.see(8, 43.0) == 43.0


def test_a_backlog_of_late_lines_that_does_not_shrink_is_seen_since_it_began() -> None:
    backlog = Backlog()
    sizes = {1.0: 9, 2.0: 9, 3.0: 9, 4.0: 20, 5.0: 18, 8.0: 17, 9.5: 16}
    seen = [backlog.see(size, 1, 31.0 + now, now) for now, size in sizes.items()]

    assert seen == [1.0] * 6 + [None]


def test_a_backlog_that_shrinks_between_pushes_that_stand_still_is_well() -> None:
    backlog = Backlog()
    seen = [backlog.see(1_000 - 100 * (now // 4), 1, 3_600.0, float(now)) for now in range(40)]

    assert seen[4:] == [None] * 36


def test_lines_that_are_not_late_are_no_backlog() -> None:
    backlog, second = Backlog(), 10**9

    assert [backlog.see(5, 100 * second, 130.0, now) for now in (1.0, 100.0)] == [None, None]
    assert backlog.see(5, 100 * second, 131.0, 101.0) == 101.0
    assert backlog.see(0, None, 140.0, 102.0) is None
    assert backlog.see(5, 100 * second, 150.0, 103.0) == 103.0


def test_of_a_row_of_failures_the_first_is_told_and_then_one_every_ten_minutes() -> None:
    repeats = Repeats()
    told = [(now, passed) for now in range(0, 1800, 5) if (passed := repeats.count("503", now)) is not None]

    assert told == [(0, 0), (600, 119), (1200, 119)]


def test_another_kind_and_a_failure_after_a_minute_of_peace_are_told() -> None:
    repeats = Repeats()

    assert [repeats.count("503", 0.0), repeats.count("401", 1.0), repeats.count("503", 2.0)] == [0, 0, None]
    assert repeats.count("503", 62.0) == 1


def test_kinds_without_end_take_no_memory() -> None:
    repeats = Repeats()
    for number in range(5000):
        repeats.count(number, 0.0)

    assert len(repeats._kinds) <= 1001
