"""A Loki that only says 204: ``python -m benchmarks.sink MILLISECONDS``, a process of its own.

It reads what comes, drops it, and answers after so long; its one line of stdout is its address. A GET is told
how many pushes and bytes have come, and when the last was answered, on the machine's monotonic clock.
"""

import asyncio
import re
import sys
import time
from typing import cast

import orjson
import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_told = {"pushes": 0, "bytes": 0, "last": 0.0}


class Sink(asyncio.Protocol):
    """One connection; requests come one after the other, each with a length."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._head = b""
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Count down what is left of a body, or read a head."""
        if self._left:
            self._left -= len(data)
        elif not self._read_head(data):
            return
        if self._left <= 0:
            self._left = 0
            asyncio.get_running_loop().call_later(self._delay, self._answer)

    def _read_head(self, data: bytes) -> bool:
        """Tell whether a push has begun."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, body, self._head = self._head[:end], len(self._head) - end - 4, b""
        if head.startswith(b"GET"):
            told = orjson.dumps(_told)
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told))
            return False
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        _told["bytes"] += size
        self._left = size - body
        return True

    def _answer(self) -> None:
        _told["pushes"] += 1
        _told["last"] = time.monotonic()
        if not self._transport.is_closing():
            self._transport.write(_ANSWER)


async def _serve(delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(delay), "127.0.0.1", 0)
    print("http://{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(float(sys.argv[1]) / 1000))
