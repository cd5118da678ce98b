"""Addresses as they may be shown."""

from urllib.parse import urlsplit


def without_credentials(url: str) -> str:
    """Return the address without user, password, query and fragment, fit for a log."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
