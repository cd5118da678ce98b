"""Calls as they are made for measuring: their sizes, and what they look like on the wire."""

from dataclasses import dataclass

SMALL, LARGE = 2_000, 300_000
CHUNKS = 200
EVENT = (
    b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello, you"}}\n\n'
)


@dataclass(frozen=True)
class Load:
    """So many calls over so many connections; ``kind`` is ``small``, ``large`` or ``stream``."""

    kind: str
    connections: int
    calls: int


def request_bytes(load: Load, path: str, connection: int) -> bytes:
    """Return a whole request as a coding agent makes it; a connection's calls are one session."""
    size = LARGE if load.kind == "large" else SMALL
    streamed = "true" if load.kind == "stream" else "false"
    body = f'{{"model":"m","stream":{streamed},"messages":[{{"role":"user","content":"{"b" * size}"}}]}}'
    return (
        f"POST {path}/v1/messages?{load.kind} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Content-Type: application/json\r\nx-api-key: sk-ant-api03-0123456789abcdef\r\n"
        f"X-Claude-Code-Session-Id: connection-{connection}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
