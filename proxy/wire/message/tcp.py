"""TCP on both sides of a call: keep-alive, and what the kernel knows of a peer."""

import select
import socket

# NATs and load balancers forget a silent connection, AWS's after 350 s, the strictest after 30: the first
# probe goes before that and keeps their memory fresh. A peer that is gone is told 25 + 4 * 15 = 85 s after
# its last sign of life.
_FIRST_PROBE_SECONDS, _PROBE_SECONDS, _PROBES = 25, 15, 4


def keep_alive(connection: socket.socket) -> None:
    """Have the kernel probe a silent peer, and send small pieces at once."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _FIRST_PROBE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _PROBE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def hangup_of(descriptor: int) -> int:
    """Return what the kernel knows of the peer's end: POLLRDHUP, POLLHUP and POLLERR, or 0."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    found = poll.poll(0)
    return found[0][1] if found else 0
