"""TCP on both sides of a call: keep-alive, and what the kernel knows of a peer."""

import select
import socket
from dataclasses import dataclass

# NATs and load balancers forget a silent connection, AWS's after 350 s, the strictest after 30: the first
# probe goes before that, and each that is answered keeps their memory fresh.
_FIRST_PROBE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Probes:
    """How a peer that answers no probe is given up: after so many, so many seconds apart."""

    seconds: int
    count: int


# An upstream that a NAT has cut off within its first 30 s is given up by 80 s: its last answer is at 20 s.
OF_UPSTREAMS = Probes(10, 4)
# A client may be a laptop that sleeps for some minutes and reads its answer then.
OF_CLIENTS = Probes(20, 15)


def keep_alive(connection: socket.socket, probes: Probes) -> None:
    """Have the kernel probe a silent peer, and send small pieces at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _FIRST_PROBE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, probes.seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, probes.count)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def hangup_of(descriptor: int) -> int:
    """Return what the kernel knows of the peer's end: POLLRDHUP, POLLHUP and POLLERR, or 0."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    found = poll.poll(0)
    return found[0][1] if found else 0
