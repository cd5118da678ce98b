"""The proxy's own server with a handler of the test's own, in the test's process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from proxy.wire.clients import Clients, Handler


@asynccontextmanager
async def serving(handler: Handler, most: int = 100) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    clients = Clients(handler, most)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(clients.connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield lambda: asyncio.open_connection("127.0.0.1", port)
    finally:
        server.close()
        for each in list(clients.connections):
            each.transport.abort()
        async with asyncio.timeout(10):
            while clients.tasks or clients.connections:  # noqa: ASYNC110 - each ends for a reason of its own
                await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())
