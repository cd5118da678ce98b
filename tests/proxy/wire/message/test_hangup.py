"""What is made of what the kernel tells of a client."""

import select

import pytest

from proxy.wire.message.hangup import POLLERR, POLLHUP, POLLRDHUP, Verdict, verdict


def test_the_numbers_are_those_of_the_system() -> None:
    assert (POLLRDHUP, POLLERR, POLLHUP) == (select.POLLRDHUP, select.POLLERR, select.POLLHUP)


@pytest.mark.parametrize(
    ("seen", "begun", "waited", "silent", "probes", "expected"),
    [
        (POLLHUP, False, 0, 0, 0, "gone"),
        (POLLERR | POLLRDHUP, True, 0, 0, 4, "gone"),
        (0, False, 1.9, 99, 0, "wait"),
        (0, False, 2.1, 99, 0, "probe"),
        (0, False, 5.9, 99, 1, "wait"),
        (0, False, 6.1, 99, 1, "probe"),
        (0, False, 999, 99, 4, "wait"),
        (POLLRDHUP, False, 0.9, 0, 0, "wait"),
        (POLLRDHUP, False, 1.1, 0, 0, "probe"),
        (POLLRDHUP, True, 9, 0.9, 0, "wait"),
        (POLLRDHUP, True, 9, 1.1, 0, "gone"),
        (POLLRDHUP, True, 9, 9, 1, "wait"),
        (0, True, 99, 99, 0, "wait"),
    ],
)
def test_a_client_is_waited_for_probed_or_given_up(
    seen: int, waited: float, silent: float, probes: int, expected: Verdict, *, begun: bool
) -> None:
    assert verdict(seen, begun=begun, waited=waited, silent=silent, probes=probes) == expected
