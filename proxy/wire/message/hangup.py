"""Whether a client has left, by what the kernel knows of its connection.

The end of its sending alone does not tell: some clients only say so that their request is whole. Before an
answer begins, an interim answer makes a client that has left show it, as its kernel answers by a reset; one
that waits passes over it (RFC 9110 15.2). Amid an answer the bytes that are sent do the same.
"""

from typing import Literal

Verdict = Literal["wait", "probe", "gone"]

# poll(2): the peer ended its sending; the connection has failed; it has ended in both directions.
POLLRDHUP, POLLERR, POLLHUP = 0x2000, 0x8, 0x10
# How long the end of sending may stand without an answer, or amid a silent one. Clients that only end their
# sending and get their answer at once see nothing of a probe.
_ENDED_SECONDS = 1.0
# How long nothing may be read before an answer: the end of a client that has left stands behind what is
# unread, and is not seen.
_UNREAD_SECONDS = 2.0
# Each waits three times as long as the one before; some clients take only five interim answers.
_PROBES = 4


def verdict(seen: int, *, begun: bool, waited: float, silent: float, probes: int) -> Verdict:
    """Return what to do about a call whose client is not read, or has ended its sending.

    ``seen`` is what poll(2) tells. ``waited`` and ``silent`` are seconds: in this state, and since anything
    of the call came or left. ``begun``: its answer has. ``probes``: sent so far.
    """
    if seen & (POLLHUP | POLLERR):
        return "gone"
    if not begun:
        patience = (_ENDED_SECONDS if seen else _UNREAD_SECONDS) * 3**probes
        return "probe" if probes < _PROBES and waited > patience else "wait"
    return "gone" if seen and not probes and silent > _ENDED_SECONDS else "wait"
