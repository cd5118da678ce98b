import pytest

from shipper.commands.run.drain import HARD_END_SECONDS, Drain, Verdict


def test_while_the_proxy_lives_the_shipper_goes_on() -> None:
    drain = Drain(budget=30.0, now=100.0)

    assert drain.next(140.0, proxy_alive=True, idle=True) is Verdict.GO_ON
    assert drain.next(100.0 + HARD_END_SECONDS, proxy_alive=True, idle=True) is Verdict.TIME_IS_UP


def test_after_the_proxy_it_looks_once_more_ships_torn_lines_and_is_done_when_all_is_delivered() -> None:
    drain = Drain(budget=30.0, now=100.0)

    verdicts = [
        drain.next(101.0, proxy_alive=False, idle=True),
        drain.next(101.1, proxy_alive=False, idle=False),
        drain.next(101.2, proxy_alive=False, idle=True),
        drain.next(101.3, proxy_alive=False, idle=False),
        drain.next(101.4, proxy_alive=False, idle=True),
    ]

    assert verdicts == [
        Verdict.LOOK_ONCE_MORE,
        Verdict.GO_ON,
        Verdict.SHIP_TORN,
        Verdict.GO_ON,
        Verdict.DONE,
    ]


def test_its_budget_begins_when_the_proxy_has_gone() -> None:
    drain = Drain(budget=20.0, now=100.0)
    drain.next(110.0, proxy_alive=True, idle=False)
    drain.next(120.0, proxy_alive=False, idle=False)

    assert drain.next(139.9, proxy_alive=False, idle=False) is Verdict.GO_ON
    assert drain.next(140.0, proxy_alive=False, idle=False) is Verdict.TIME_IS_UP


@pytest.mark.parametrize("alive", [True, False])
def test_whatever_happens_it_ends_before_it_is_killed(*, alive: bool) -> None:
    drain = Drain(budget=300.0, now=100.0)
    drain.next(150.0, proxy_alive=alive, idle=False)

    assert drain.next(157.0, proxy_alive=alive, idle=False) is Verdict.TIME_IS_UP
