"""Makes calls as fast as they are answered: ``python -m benchmarks.load PORT PATH KIND CONNECTIONS CALLS``.

Prints what it saw as JSON: calls and chunks a second, and the median and 99th percentile in milliseconds.
"""

import asyncio
import json
import re
import sys
import time
from dataclasses import asdict, dataclass

from benchmarks.traffic import Load, request_bytes

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_READ = 1 << 16


@dataclass(frozen=True)
class Seen:
    """What a load felt."""

    calls: float
    chunks: float
    p50: float
    p99: float


async def _connection(port: int, request: bytes, calls: int, took: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    chunks = 0
    for _ in range(calls):
        start = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode("latin-1"))
        length = _LENGTH.search(head)
        if length:
            await reader.readexactly(int(length[1]))
        else:
            chunks += await _chunked(reader)
        took.append(time.perf_counter() - start)
    writer.close()
    return chunks


async def _chunked(reader: asyncio.StreamReader) -> int:
    """Read a streamed body; return how many events came."""
    events, tail = 0, b""
    while not tail.endswith(b"0\r\n\r\n"):
        piece = await reader.read(_READ)
        if not piece:
            raise ConnectionError("the stream broke off")
        events += piece.count(b"event: ")
        tail = (tail + piece)[-5:]
    return events


async def make(port: int, path: str, load: Load) -> Seen:
    """Make the calls, and return what was seen."""
    took: list[float] = []
    each = load.calls // load.connections
    requests = [request_bytes(load, path, number) for number in range(load.connections)]
    start = time.perf_counter()
    chunks = await asyncio.gather(*(_connection(port, request, each, took) for request in requests))
    wall = time.perf_counter() - start
    took.sort()
    middle, last = took[len(took) // 2], took[int(len(took) * 0.99)]
    return Seen(len(took) / wall, sum(chunks) / wall, middle * 1000, last * 1000)


if __name__ == "__main__":
    port, path, kind, connections, calls = sys.argv[1:]
    seen = asyncio.run(make(int(port), path, Load(kind, int(connections), int(calls))))
    print(json.dumps(asdict(seen)))
