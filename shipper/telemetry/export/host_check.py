"""Who may read what names paths and settings: no web page that has its own name rebound to this address."""

import ipaddress


def may_read(host: str, own: str) -> bool:
    """Tell whether a request with this ``Host`` header is served; ``own`` is ``shipper.health_host``.

    A page can have only a name of its own, with a dot, rebound to this address (DNS rebinding), so addresses,
    names of this machine and names without a dot, as containers have, cannot be a page's.
    """
    name = (
        host.lower().rpartition("]")[0].strip("[") if host.startswith("[") else host.lower().partition(":")[0]
    )
    if "." not in name or name == own.lower() or name.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
