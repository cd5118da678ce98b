"""Names to addresses, without those that no name may lead to."""

import errno
import socket
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from proxy.wire.routing import is_loopback, is_off_limits


class AddressRefusedError(OSError):
    """A name leads only to addresses that must not be reached."""


class GuardedResolver(AbstractResolver):
    """The system's resolver. It drops addresses where clouds serve credentials.

    Of names for which ``may_be_here`` is false, it drops those of this machine too.
    """

    def __init__(self, may_be_here: Callable[[str], bool], resolver: AbstractResolver | None = None) -> None:
        self._may_be_here = may_be_here
        self._resolver = resolver or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return a name's addresses. Raises ``OSError``: ``AddressRefusedError`` where none is left."""
        found = await self._resolver.resolve(host, port, family)
        here = self._may_be_here(host)
        kept = [
            each
            for each in found
            if not is_off_limits(each["host"]) and (here or not is_loopback(each["host"]))
        ]
        if found and not kept:
            raise AddressRefusedError(errno.EACCES, "its address must not be reached")
        return kept

    async def close(self) -> None:
        """Close the resolver."""
        await self._resolver.close()
