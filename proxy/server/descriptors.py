"""How many descriptors this process may have, and how many connections that allows."""

import resource

# A proxy for a team.
_MOST_CONNECTIONS = 4096
# For the journal's files, the recorder's spools, listeners and health probes, whatever clients do.
_KEPT = 128


def most_connections() -> int:
    """Raise the limit as far as the system lets this process, and return how many clients it bears.

    Of what is not kept, clients get two fifths, running calls' upstreams as many, idle upstreams the rest.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # some systems have a lower limit of their own; the soft one holds
    if soft == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(min(_MOST_CONNECTIONS, (soft - _KEPT) // 5 * 2), 1)
