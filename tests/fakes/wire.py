"""HTTP/1.1 requests, read from bytes without losing what a transparent proxy must keep.

Header names keep their case, order and repeats; the request line keeps its escapes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

Headers = list[tuple[bytes, bytes]]

# Far above what clients send, small enough that a runaway head ends.
_MOST_HEAD_BYTES = 1 << 20


class MalformedRequestError(Exception):
    """The bytes are no HTTP/1.1 request."""


@dataclass
class Request:
    """One request as it arrived; ``body`` is unchunked but still content-encoded."""

    line: bytes
    headers: Headers
    body: bytes = b""
    trailers: Headers | tuple[()] = ()

    @cached_property
    def method(self) -> bytes:
        return self.line.partition(b" ")[0]

    @cached_property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]

    @cached_property
    def path(self) -> str:
        return self.target.partition(b"?")[0].decode("latin-1")

    @property
    def query(self) -> str:
        return self.target.partition(b"?")[2].decode("latin-1")

    @cached_property
    def fields(self) -> dict[bytes, bytes]:
        """Headers by lower-case name; of a repeated one the last."""
        return {name.lower(): value for name, value in self.headers}

    def header(self, name: bytes) -> str | None:
        """Return a header's value, by lower-case name."""
        value = self.fields.get(name)
        return None if value is None else value.decode("latin-1")

    @property
    def keeps_alive(self) -> bool:
        return self.fields.get(b"connection", b"").lower() != b"close" and not self.line.endswith(b"1.0")


class RequestReader:
    """One connection's bytes in, requests out.

    ``heads`` can be asked between a request's head and its body, so that a server may answer early.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._request: Request | None = None
        self._body: list[bytes] = []
        self._missing = 0
        self._chunked = False
        self._in_trailers = False

    @property
    def pending(self) -> Request | None:
        """The request whose head is there and whose body is not yet complete."""
        return self._request

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data

    def requests(self) -> Iterator[Request]:
        """Yield every request that is complete. Raises ``MalformedRequestError``."""
        while True:
            if self._request is None and not self._read_head():
                return
            request = self._read_body()
            if request is None:
                return
            yield request

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MOST_HEAD_BYTES:
                raise MalformedRequestError("the head has no end")
            return False
        line, *rest = self._buffer[:end].lstrip(b"\r\n").split(b"\r\n")
        if line.count(b" ") != 2 or b" HTTP/1." not in line:
            raise MalformedRequestError(f"no request line: {line[:80]!r}")
        self._request = Request(line, [_header(each) for each in rest])
        self._buffer = self._buffer[end + 4 :]
        self._start_body(self._request.fields)
        return True

    def _start_body(self, fields: dict[bytes, bytes]) -> None:
        self._body, self._in_trailers = [], False
        self._chunked = fields.get(b"transfer-encoding", b"").lower() == b"chunked"
        length = fields.get(b"content-length", b"0")
        if not length.isdigit():
            raise MalformedRequestError(f"no content length: {length[:80]!r}")
        self._missing = 0 if self._chunked else int(length)

    def _read_body(self) -> Request | None:
        if self._chunked:
            return self._read_chunks()
        if self._missing and not self._take():
            return None
        return self._finish()

    def _take(self) -> bool:
        """Move what is there of the missing bytes into the body; tell whether none is missing now."""
        taken = self._buffer[: self._missing]
        self._buffer = self._buffer[len(taken) :]
        self._body.append(taken)
        self._missing -= len(taken)
        return self._missing == 0

    def _read_chunks(self) -> Request | None:
        while True:
            if self._missing and not self._take():
                return None
            if self._in_trailers:
                return self._read_trailers()
            self._buffer = self._buffer.removeprefix(b"\r\n") if self._body else self._buffer
            size, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                return None
            try:
                self._missing = int(size.partition(b";")[0], 16)
            except ValueError as exc:
                raise MalformedRequestError(f"no chunk size: {size[:80]!r}") from exc
            self._in_trailers = self._missing == 0
            self._buffer = rest

    def _read_trailers(self) -> Request | None:
        lines: list[bytes] = []
        rest = self._buffer
        while True:
            line, found, rest = rest.partition(b"\r\n")
            if not found:
                return None
            if not line:
                self._buffer = rest
                return self._finish([_header(each) for each in lines])
            lines.append(line)

    def _finish(self, trailers: Headers | tuple[()] = ()) -> Request:
        request = self._request
        assert request is not None
        request.body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        request.trailers = trailers
        self._request, self._body = None, []
        return request


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon:
        raise MalformedRequestError(f"no header: {line[:80]!r}")
    return name, value.strip(b" \t")
