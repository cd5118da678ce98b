"""How an exchange with an upstream fails, in words for the client."""

import os


class UpstreamError(Exception):
    """An exchange failed; the text says why, for the client, without addresses or URLs."""


class ConnectError(UpstreamError):
    """There is no connection; nothing was sent."""


class BrokenError(UpstreamError):
    """The connection ended before its answer did. ``untouched``: nothing of an answer had come."""

    def __init__(self, message: str, *, untouched: bool) -> None:
        super().__init__(message)
        self.untouched = untouched


def reason_of(exc: BaseException) -> str:
    """Name a failure in words for the client, without any URL."""
    errno = getattr(exc, "errno", None)
    if isinstance(errno, int) and errno > 0:
        return os.strerror(errno)
    return type(exc).__name__
