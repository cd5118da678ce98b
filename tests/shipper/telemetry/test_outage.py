import pytest

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


@pytest.mark.parametrize(
    ("later", "since"),
    [
        ((45.0, 100, 0), 50.0),  # as old and as much
        ((45.0, 900, 0), 50.0),  # more
        ((39.0, 900, 0), 60.0),  # younger
        ((45.0, 99, 0), 60.0),  # less
        ((45.0, 100, 1), 60.0),  # a part of it
        ((30.0, 100, 0), None),  # no longer old
    ],
)
def test_a_standstill_lasts_while_old_lines_become_neither_younger_nor_fewer(
    later: tuple[float, int, int], since: float | None
) -> None:
    standstill = Standstill(5.0)

    assert standstill.see(0.0, 0, 0, 40.0) is None
    assert standstill.see(40.0, 100, 0, 50.0) == 50.0
    assert standstill.see(*later, 60.0) == since


def test_what_an_earlier_process_left_has_waited_before() -> None:
    assert Standstill(5.0).see(31.0, 100, 0, 50.0) == 41.0


def test_lines_that_wait_for_their_batch_are_not_old() -> None:
    assert Standstill(60.0).see(110.0, 100, 0, 50.0) is None


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
