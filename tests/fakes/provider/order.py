"""What a test may order of the provider, as JSON in the header ``x-fake`` or by ``POST /_fake/script``."""

from typing import Any, Literal

import msgspec

Encoding = Literal["gzip", "deflate", "br", "zstd", "auto"]


class ToolUse(msgspec.Struct, frozen=True):
    """One tool that the model asks for."""

    name: str
    input: dict[str, Any] = {}


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one answer is given. All defaults together are a plain, good answer.

    What is said:

    - ``status``: from 400 an error in the provider's own shape; 204 and 304 have no body
    - ``error_type``, ``message``: of an error; by default those that fit the status
    - ``text``: what the model says; ``text_bytes`` repeats it up to that many bytes
    - ``thinking``: whether it thinks first
    - ``tools``: the tools that it asks for
    - ``stop_reason``: instead of the one that follows
    - ``usage``: merged over the counted usage
    - ``body``, ``body_base64``: a body of the test's own, as a stream of one piece where the request streams

    How the head looks:

    - ``reason``, ``headers`` (in order, repeats kept), ``trailers`` (chunked only)
    - ``informational``: 1xx answers ahead of it
    - ``framing``: ``length``, ``chunked`` or ``close``; by default what fits
    - ``encoding``: compress the body, a stream piece by piece; ``auto`` takes what the request accepts

    When it comes:

    - ``delay``: seconds before the head
    - ``early``: answer without reading the request's body
    - ``deltas``: pieces of text in a stream
    - ``pause``: seconds before each event of a stream; ``pings``: a ping after each event
    - ``linger``: seconds between the last event and the end of the body
    - ``write_size``: bytes a write instead of an event a write

    What goes wrong, after ``after`` events (or writes) of the body; -1 is before the head:

    - ``fault``: ``reset`` the connection, ``cut`` it without the end of the body, ``hang``, or end the
      stream with an ``error`` event

    How often, when scripted:

    - ``times``: how many requests it is for, 0 for all; ``path``: only for those whose path ends like this
    """

    status: int = 200
    error_type: str = ""
    message: str = ""
    text: str = ""
    text_bytes: int = 0
    thinking: bool = False
    tools: tuple[ToolUse, ...] = ()
    stop_reason: str = ""
    usage: dict[str, Any] = {}
    body: str | None = None
    body_base64: str | None = None
    reason: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    trailers: tuple[tuple[str, str], ...] = ()
    informational: tuple[int, ...] = ()
    framing: Literal["", "length", "chunked", "close"] = ""
    encoding: Encoding | None = None
    delay: float = 0.0
    early: bool = False
    deltas: int = 4
    pause: float = 0.0
    pings: bool = False
    linger: float = 0.0
    write_size: int = 0
    fault: Literal["", "reset", "cut", "hang", "error"] = ""
    after: int = 1
    times: int = 1
    path: str = ""


PLAIN = Order()
_DECODER = msgspec.json.Decoder(Order)


def read_order(text: str | bytes) -> Order:
    """Read one order. Raises ``ValueError`` that names what is wrong."""
    return _DECODER.decode(text)
