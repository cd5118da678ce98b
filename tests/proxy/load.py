"""Load on a proxy, and what its calls and chunks take beside those that go directly."""

import asyncio
import statistics
import time
from dataclasses import dataclass, field

CHUNK = b'35\r\ndata: {"sent":%020d,"at":"........"}\n\n\r\n'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Delays:
    """Seconds, call by call or chunk by chunk."""

    direct: list[float] = field(default_factory=list)
    through: list[float] = field(default_factory=list)

    def added(self) -> float:
        """Return the 99th percentile of what the way through takes longer, pair by pair."""
        pairs = zip(self.direct, self.through, strict=True)
        return percentile([through - direct for direct, through in pairs], 99)


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


class PacedProvider:
    """Streams chunks that tell when they were sent, ``pace`` seconds apart."""

    def __init__(self, chunks: int, pace: float) -> None:
        self._chunks, self._pace = chunks, pace
        self.port = 0

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(HEAD)
        due = time.monotonic()
        for _ in range(self._chunks):
            due += self._pace
            await asyncio.sleep(due - time.monotonic())
            writer.write(CHUNK % time.monotonic_ns())
        writer.write(b"0\r\n\r\n")
        writer.close()


async def stream(port: int, target: str, chunks: int, into: list[float]) -> None:
    """Read one stream; note how long each of its chunks was on its way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    for _ in range(chunks):
        event = await reader.readuntil(b"\n\n")
        sent = int(event.rpartition(b'"sent":')[2][:20])
        into.append((time.monotonic_ns() - sent) / 1e9)
    writer.close()


async def call(port: int, request: bytes, end: bytes, into: list[float]) -> None:
    """Make one call on a connection of its own; note what it took."""
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    await reader.readuntil(end)
    into.append(time.monotonic() - began)
    writer.close()
