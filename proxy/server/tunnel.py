"""A WebSocket between a client and an upstream: bytes go on as they come, both ways at once."""

import asyncio
import time

from proxy.server.tap import Tap
from proxy.wire.call import Call
from proxy.wire.headers import for_client
from proxy.wire.upstream.pool import Answer


class Tunnel:
    """One WebSocket. ``run`` returns when the upstream has ended it, and raises what ends it otherwise."""

    def __init__(self, call: Call, answer: Answer, tap: Tap) -> None:
        self._call = call
        self._answer = answer
        self._tap = tap

    async def run(self) -> None:
        """Pass on the switch of protocols, and all that follows."""
        head = self._answer.head
        self._call.switch(head.reason, for_client(head.headers, upgrade=True))
        sending = asyncio.create_task(self._send())
        try:
            while not await self._answer.pump(self._receive):
                await self._call.drain()
            self._call.end()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    def _receive(self, piece: bytes) -> bool:
        self._call.write(piece)
        self._call.moved = time.monotonic_ns()
        self._tap.take("server", piece)
        return self._call.is_behind

    async def _send(self) -> None:
        while piece := await self._call.read():
            self._answer.write(piece)
            self._tap.take("client", piece)
            await self._answer.drain()
