"""A running proxy as tests see it: where to call it, what it logged, and raw HTTP to call it with."""

import json
import socket
import urllib.request
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import orjson

from tests.fakes.provider import FakeProvider
from tests.process import Running, eventually

Record = dict[str, Any]
_TIMEOUT = 20.0


@dataclass
class Served:
    """A proxy process, the provider behind it, and its log folder."""

    process: Running
    provider: FakeProvider
    log_dir: Path

    @cached_property
    def port(self) -> int:
        port: int = self.process.wait_for("proxy.listening")["port"]
        return port

    @property
    def upstream(self) -> str:
        return f"127.0.0.1:{self.provider.port}"

    def url(self, segment: str, upstream: str = "") -> str:
        """Return the base URL for a client."""
        return f"http://127.0.0.1:{self.port}/{segment}/{upstream or self.upstream}"

    def health(self) -> Record:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=_TIMEOUT) as answer:
            told: Record = json.load(answer)
            return told

    def records(self) -> list[Record]:
        """Return every record on disk, file by file; one that is just being written is none yet."""
        files = sorted(self.log_dir.glob("*/*/*.jsonl"))
        return [orjson.loads(line) for file in files for line in file.read_bytes().split(b"\n")[:-1]]

    def session(self, key: str, calls: int = 1) -> list[Record]:
        """Return the records of a client's session, once so many of its calls have ended."""

        def ended() -> list[Record]:
            starts = [each for each in self.records() if each.get("client_session") == key]
            names = {each["_meta"]["session"] for each in starts}
            held = [each for each in self.records() if each["_meta"]["session"] in names]
            return held if sum(each["type"] == "response" for each in held) >= calls else []

        return eventually(ended, what=f"{calls} calls of {key} on record")

    def call(self, key: str) -> tuple[Record, Record]:
        """Return request and response of a session with one call."""
        start, request, response = self.session(key)
        assert (start["type"], request["type"], response["type"]) == ("session_start", "request", "response")
        return request, response

    def response_of(self, model: str) -> Record:
        """Return the one answer of a model, once it is on record."""

        def found() -> list[Record]:
            return [
                each for each in self.records() if each["type"] == "response" and each.get("model") == model
            ]

        return eventually(found, what=f"an answer of {model} on record")[0]


def new_key() -> str:
    """Return a name for a session of the test's own."""
    return str(uuid.uuid4())


@dataclass
class Answer:
    """A raw response: the whole of it, and its parts; ``ended`` tells how the connection did."""

    raw: bytes
    ended: str = "closed"
    head: list[bytes] = field(init=False)
    body: bytes = field(init=False)

    def __post_init__(self) -> None:
        rest = self.raw
        while rest.startswith(b"HTTP/1.1 1"):  # interim answers
            rest = rest.partition(b"\r\n\r\n")[2]
        head, _, rest = rest.partition(b"\r\n\r\n")
        self.head = head.split(b"\r\n")
        self.body = _unchunked(rest) if b"Transfer-Encoding: chunked" in self.head else rest

    @property
    def status(self) -> int:
        return int(self.head[0].split(b" ")[1])

    @property
    def message(self) -> str:
        """What an error of the proxy's own says, in whatever dialect."""
        told = orjson.loads(self.body)
        error = told.get("error", told)
        text: str = error if isinstance(error, str) else error["message"]
        return text

    @property
    def is_whole(self) -> bool:
        """The body ended as its framing says."""
        if b"Transfer-Encoding: chunked" in self.head:
            return self.raw.endswith(b"\r\n0\r\n\r\n")
        length = [line for line in self.head if line.lower().startswith(b"content-length: ")]
        return not length or int(length[0].split(b": ")[1]) == len(self.body)


class Client:
    """One raw connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
        self.received = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *data: bytes) -> "Client":
        self.socket.sendall(b"".join(data))
        return self

    def until(self, end: bytes) -> bytes:
        """Read until what has come holds ``end``."""
        while end not in self.received:
            piece = self.socket.recv(65536)
            assert piece, f"closed before {end!r}: {self.received!r}"
            self.received += piece
        return self.received

    def rest(self) -> Answer:
        """Read until the connection ends."""
        ended = "closed"
        try:
            while piece := self.socket.recv(65536):
                self.received += piece
        except ConnectionResetError:
            ended = "reset"
        return Answer(self.received, ended)


def request_bytes(
    target: str, headers: Iterable[tuple[str, str]] = (), body: bytes | None = None, method: str = "POST"
) -> bytes:
    """Return a request that asks for the connection's end after it."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: localhost",
        *(f"{name}: {value}" for name, value in headers),
    ]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def ask(port: int, target: str, *args: Any, **more: Any) -> Answer:
    """Send one request and read its whole answer."""
    with Client(port) as client:
        return client.send(request_bytes(target, *args, **more)).rest()


def _unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size or b"0", 16)
        body += data[:length]
        data = data[length + 2 :]
        if not length:
            break
    return body
