"""What a request's body tells of the call.

A conversation's requests repeat all that was said before; what was read of it once is not read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from proxy.content.clients import TELLING as OF_CLIENT
from proxy.content.dialects.registry import HISTORY, Path, read_path
from proxy.content.document import Json, parse, parse_object, text_in
from proxy.content.message_chain import Links, chain, messages_of
from proxy.content.redact import looks_secret
from proxy.content.streams.thin import thin

_TELLING = frozenset({"model", "stream", *OF_CLIENT})
# Below this a body is parsed as fast as it is looked at.
_SHORT = 8 << 10
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_NO_PATH = Path()


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request: those of its body's fields that tell of the call, the chain of its messages, its path."""

    fields: Json
    links: Sequence[bytes] = ()
    path: Path = _NO_PATH

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
        if len(body) > _SHORT:
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
        return RequestInfo(fields, self._links.chain(messages))


def _whole(document: Json) -> RequestInfo:
    try:
        return RequestInfo(document, chain(messages_of(document)))
    except (RecursionError, TypeError):
        return RequestInfo(document)  # nested deeper than any conversation, or than orjson writes
