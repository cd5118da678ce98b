"""The least that forwards, with nothing logged: ``python -m benchmarks.forwarder PORT``."""

import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import uvicorn
from httpx_aiohttp import AiohttpTransport

_HOP = {b"host", b"connection", b"content-length", b"transfer-encoding"}
_clients: list[httpx.AsyncClient] = []


def _client() -> httpx.AsyncClient:
    if not _clients:
        _clients.append(httpx.AsyncClient(transport=AiohttpTransport(), timeout=60))
    return _clients[0]


async def _body(receive: Any) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        yield message.get("body", b"")


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Forward ``/{provider}/{host}/{path}`` to ``http://{host}/{path}``."""
    _, _, host, path = scope["path"].split("/", 3)
    url = f"http://{host}/{path}?{scope['query_string'].decode()}"
    headers = [each for each in scope["headers"] if each[0] not in _HOP]
    body = b"".join([piece async for piece in _body(receive)])
    request = _client().build_request(scope["method"], url, headers=headers, content=body)
    response = await _client().send(request, stream=True)
    kept = [
        (name.lower(), value) for name, value in response.headers.raw if name.lower() != b"transfer-encoding"
    ]
    await send({"type": "http.response.start", "status": response.status_code, "headers": kept})
    async for piece in response.aiter_raw():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await response.aclose()
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="critical", loop="uvloop", http="httptools")
