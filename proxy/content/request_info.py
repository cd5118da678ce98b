"""What a request's body tells of the call.

A conversation's requests repeat all that was said before; what was read of it once is not read again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import NamedTuple, SupportsBytes

import msgspec

from proxy.content.clients import TELLING as OF_CLIENT
from proxy.content.dialects.registry import HISTORY, Path, read_path
from proxy.content.document import Json, parse, parse_object, text_in
from proxy.content.messages.chain import Links, Step, chain, messages_of
from proxy.content.redact.shapes import looks_secret
from proxy.content.streams.thin import thin

_TELLING = frozenset({"model", "stream", *OF_CLIENT})
# What sets the assistant up besides the messages.
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_NO_PATH = Path()


class Setting(NamedTuple):
    """What a request is asked with: conversations that begin alike differ in it.

    ``system`` and ``tools`` are hashes that hold within this process; 0 where nothing is known of them.
    """

    model: str = ""
    system: int = 0
    tools: int = 0

    def likeness(self, other: "Setting") -> int:
        """Return how many of the three are known to be equal."""
        return sum(one == another for one, another in zip(self, other, strict=True) if one and another)

    def differs(self, other: "Setting") -> bool:
        """Tell whether one of the three is known to be another."""
        return any(one != another for one, another in zip(self, other, strict=True) if one and another)


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request: those of its body's fields that tell of the call, the chain of its messages, its path."""

    fields: Json
    steps: Sequence[Step] = ()
    system: int = 0
    tools: int = 0
    path: Path = _NO_PATH

    @property
    def setting(self) -> Setting:
        """The model, the system prompt, in a field or as the first messages, and the tools."""
        first = tuple(step.system for step in takewhile(_is_system, self.steps))
        return Setting(self.model or "", hash((self.system, first)), self.tools)

    @property
    def model(self) -> str | None:
        """The model asked for, by the body, else by the path."""
        model = text_in(self.fields, "model") or self.path.model
        return model if model and not looks_secret(model) else None

    @property
    def stream(self) -> bool | None:
        """Whether a stream was asked for, where the body, the path or the dialect says."""
        stream = self.fields.get("stream")
        if isinstance(stream, bool):
            return stream
        if self.path.stream is None and self.path.dialect is not None and self.path.dialect.streams:
            return True
        return self.path.stream


class Reader:
    """Reads the bodies of requests, and remembers what it has read."""

    def __init__(self) -> None:
        self._links = Links()

    def read(self, body: bytes, path: str = "") -> RequestInfo:
        """Return what a request tells by its body and its path, as that stood on the wire.

        A body that is no JSON object tells nothing.
        """
        asked = self._read(body)
        return replace(asked, path=read_path(path)) if path else asked

    def _read(self, body: bytes) -> RequestInfo:
        try:
            asked = self._read_new(body)
        except (msgspec.MsgspecError, ValueError, RecursionError, TypeError):
            asked = None  # ``parse`` has the last word on what is JSON
        if asked is not None:
            return asked
        return _whole(parse_object(thin(body)) or {})

    def _read_new(self, body: bytes) -> RequestInfo | None:
        """Parse only what was not there before, but split all of it; None where that does not help."""
        outer = _OBJECT.decode(body)
        held = next((name for name in HISTORY if name in outer), None)
        if held is None:
            return None
        messages = _LIST.decode(outer.pop(held))
        fields = {}
        for name, raw in outer.items():
            if name in _TELLING:
                fields[name] = parse(bytes(raw))
            else:
                self._links.check(bytes(raw))
        return RequestInfo(fields, self._links.chain(messages), *_hashes(outer))


def _whole(document: Json) -> RequestInfo:
    try:
        written = {name: _written(document[name]) for name in (*_SYSTEM, "tools") if name in document}
        return RequestInfo(document, chain(messages_of(document)), *_hashes(written))
    except (RecursionError, TypeError, ValueError, AttributeError, KeyError):
        return RequestInfo(document)  # nested too deep, or of no shape that was foreseen


def _written(value: object) -> bytes:
    return repr(value).encode("utf-8", "surrogatepass")


def _is_system(step: Step) -> bool:
    return bool(step.system)


def _hashes(written: Mapping[str, SupportsBytes]) -> tuple[int, int]:
    """Return what tells the system prompt and the tools from others."""
    system = next((bytes(written[name]) for name in _SYSTEM if name in written), b"")
    tools = bytes(written["tools"]) if "tools" in written else b""
    return hash(system), hash(tools)
