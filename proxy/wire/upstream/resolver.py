"""Names to addresses, without those that no name may lead to."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence

from proxy.wire.routing import is_loopback, is_off_limits

# What getaddrinfo returns: family, type, protocol, canonical name, address.
AddressInfo = tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]


class AddressRefusedError(OSError):
    """A name leads only to addresses that must not be reached."""


class GuardedResolver:
    """The system's resolver. It drops addresses where clouds serve credentials.

    Of names for which ``may_be_here`` is false, it drops those of this machine too.
    """

    def __init__(self, may_be_here: Callable[[str], bool]) -> None:
        self._may_be_here = may_be_here

    async def resolve(self, host: str, port: int) -> list[AddressInfo]:
        """Return a name's addresses. Raises ``OSError``: ``AddressRefusedError`` where none is left."""
        found = await self._look_up(host, port)
        here = self._may_be_here(host)
        kept = [
            each for each in found if not is_off_limits(each[4][0]) and (here or not is_loopback(each[4][0]))
        ]
        if found and not kept:
            raise AddressRefusedError(errno.EACCES, "its address must not be reached")
        return kept

    async def _look_up(self, host: str, port: int) -> Sequence[AddressInfo]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [each for each in found if each[0] in {socket.AF_INET, socket.AF_INET6}]  # type: ignore[misc]
