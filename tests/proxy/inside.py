"""The proxy's own server with a handler of the test's own, in the test's process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from proxy.wire.call import Call
from proxy.wire.connection import Connection

Handler = Callable[[Call], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Callable[[], Awaitable[Any]]]:
    config = uvicorn.Config(
        handler,
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        proxy_headers=False,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(config, state, {}, loop), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield lambda: asyncio.open_connection("127.0.0.1", port)
    finally:
        server.close()
        for each in list(state.connections):
            each.transport.abort()
        async with asyncio.timeout(10):
            while state.tasks or state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())
