from proxy.wire.access.callers import Addresses, Callers


def test_a_caller_has_so_many_calls_and_others_have_their_own() -> None:
    callers = Callers(2)

    assert [callers.enter("a"), callers.enter("a"), callers.enter("a"), callers.enter("b")] == [
        True,
        True,
        False,
        True,
    ]
    callers.leave("a")
    assert callers.enter("a")


def test_callers_without_calls_are_forgotten() -> None:
    callers = Callers(1)
    for each in range(100):
        callers.enter(str(each))
        callers.leave(str(each))

    assert not callers._running


def test_an_address_has_so_many_connections() -> None:
    addresses = Addresses(2)

    assert [addresses.add("::1"), addresses.add("::1"), addresses.add("::1")] == [True, True, False]
    assert addresses.add("10.0.0.1")
    addresses.remove("::1")
    addresses.remove("::1")
    assert addresses.add("::1")
