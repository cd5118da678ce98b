from shipper.telemetry.outage import Outage, Repeats, Standstill, Turn


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
