"""All connections of clients: how many there may be, which goes first, and the tasks of their calls."""

import asyncio
from collections.abc import Awaitable, Callable

from proxy.wire.access.callers import Addresses
from proxy.wire.call import Call
from proxy.wire.connection import Connection
from proxy.wire.message.handover import Handover

# How often connections are looked at; none of their times is wanted more exactly.
SWEEP_SECONDS = 0.5
# Beyond the most connections, these few are served the proxy's own pages, so that a health probe gets in.
FOR_PAGES = 32
# Tasks that wait for calls; as many calls begin without a new task.
_MOST_WAITING = 128

Handler = Callable[[Call], Awaitable[None]]


class Clients:
    """All connections of clients, and their calls' tasks.

    ``most`` bounds the connections, ``share`` those of one address.

    One too many makes that go which has been idle longest; where all have calls, the new one is refused.
    """

    def __init__(self, handler: Handler, most: int, share: int | None = None) -> None:
        self.handler = handler
        self.most = most
        self.connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        """Those that have a call."""
        self.idle: dict[Connection, None] = {}
        """In the order in which they became idle."""
        self._addresses = Addresses(most if share is None else share)
        self._timer: asyncio.TimerHandle | None = None
        self._workers: list[tuple[asyncio.Task[None], Handover[Call]]] = []
        self._is_stopping = False

    def connection(self) -> Connection:
        """Return the protocol of a new connection."""
        return Connection(self)

    def add(self, connection: Connection) -> None:
        """Take a new connection; sets its ``over_limit`` or ``over_share`` where there are too many."""
        self.connections.add(connection)
        connection.over_share = not self._addresses.add(connection.client)
        if len(self.connections) > self.most:
            longest = next(iter(self.idle), None)
            if longest is not None:
                longest.transport.close()
                self.forget(longest)
            else:
                connection.over_limit = True
        self.idle[connection] = None
        if self._timer is None:
            self._timer = connection.loop.call_later(SWEEP_SECONDS, self._sweep)

    @property
    def is_full(self) -> bool:
        """Not even the proxy's own pages can be served on another connection."""
        return len(self.connections) > self.most + FOR_PAGES

    def forget(self, connection: Connection) -> None:
        """Let go of a connection."""
        if connection in self.connections:
            self.connections.discard(connection)
            self._addresses.remove(connection.client)
        self.idle.pop(connection, None)

    def run(self, call: Call) -> None:
        """Have a call handled: at once, where a task waits for one and no other runs now."""
        if self._workers and asyncio.current_task() is None:
            worker, desk = self._workers.pop()
            self._assign(call, worker)
            desk.give(call)
            return
        worker = asyncio.get_running_loop().create_task(self._work(call))
        worker.add_done_callback(self.tasks.discard)
        self._assign(call, worker)

    def stop(self) -> None:
        """End each connection, and each task, after the call that it has."""
        self._is_stopping = True
        for connection in list(self.connections):
            connection.stop()

    def _assign(self, call: Call, worker: "asyncio.Task[None]") -> None:
        self.tasks.add(worker)
        call.run_in(worker)

    async def _work(self, call: Call) -> None:
        """Handle one call after the other."""
        loop = asyncio.get_running_loop()
        worker = asyncio.current_task(loop)
        try:
            while worker is not None:
                await self._handle(call)
                if call.cut is not None:
                    worker.uncancel()
                self.tasks.discard(worker)
                if self._is_stopping or len(self._workers) >= _MOST_WAITING:
                    return
                desk: Handover[Call] = Handover(loop)
                self._workers.append((worker, desk))
                del call  # and all that it holds
                call = await desk
        finally:
            del worker  # the traceback of a cancelled task would lead back to it

    async def _handle(self, call: Call) -> None:
        try:
            if not call.disconnected:
                await self.handler(call)
        finally:
            call.run_in(None)  # so that nothing refers back to it
            if not call.response_complete:
                call.abort()

    def _sweep(self) -> None:
        self._timer = None
        for connection in list(self.connections):
            connection.look(connection.loop.time())
        if self.connections:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep)
