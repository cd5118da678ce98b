"""A provider that answers at once: ``python -m benchmarks.provider PORT``.

It stands on uvicorn, as the forwarder does. What it answers is in the query: ``stream`` is 200 events,
``large`` 300 KB of JSON, ``small`` 2 KB.
"""

import sys
from typing import Any

import uvicorn

from benchmarks.traffic import CHUNKS, EVENT, LARGE, SMALL

_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream")]


def _whole(size: int) -> bytes:
    text = b"a" * size
    return (
        b'{"type":"message","model":"m","content":[{"type":"text","text":"%b"}],"usage":{"output_tokens":9}}'
        % text
    )


_BODIES = {b"large": _whole(LARGE), b"small": _whole(SMALL)}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the request, and answer it."""
    while (await receive()).get("more_body", False):
        pass
    kind = scope["query_string"]
    if kind == b"stream":
        await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        for _ in range(CHUNKS):
            await send({"type": "http.response.body", "body": EVENT, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    body = _BODIES[kind]
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [*_JSON, length]})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="critical", loop="uvloop", http="httptools")
