"""Who may read what names paths and settings: no web page that has its own name rebound to this address."""

import ipaddress
from collections.abc import Sequence


def may_read(host: str, names: Sequence[str]) -> bool:
    """Tell whether a request with this ``Host`` header is served; ``names`` are those that are ours.

    A page can have any name of its own rebound to this address (DNS rebinding), also one without a dot where
    a resolver completes it. So addresses, names of this machine and those that the settings give are served.
    """
    name = (
        host.lower().rpartition("]")[0].strip("[") if host.startswith("[") else host.lower().partition(":")[0]
    )
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and name in {each.lower() for each in names}
    return True


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can connect to an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
