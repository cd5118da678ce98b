"""What a request's body tells of the call.

A conversation's requests repeat all that was said before; what was read of it once is not read again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import orjson

from proxy.content.clients import TELLING as OF_CLIENT
from proxy.content.message_chain import MESSAGES, Links, chain, messages_of
from proxy.content.redact import looks_secret
from proxy.content.usage import Json, parse_object

_TELLING = frozenset({"model", "stream", *OF_CLIENT})
# Below this a body is parsed as fast as it is looked at.
_SHORT = 8 << 10
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_LIST = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request's body: those of its fields that tell of the call, and the chain of its messages."""

    fields: Json
    links: Sequence[bytes] = ()

    @property
    def model(self) -> str | None:
        """The model asked for."""
        model = self.fields.get("model")
        return model if isinstance(model, str) and not looks_secret(model) else None

    @property
    def stream(self) -> bool | None:
        """Whether a stream was asked for, where the body says."""
        stream = self.fields.get("stream")
        return stream if isinstance(stream, bool) else None


class Reader:
    """Reads the bodies of requests, and remembers what it has read."""

    def __init__(self) -> None:
        self._links = Links()

    def read(self, body: bytes) -> RequestInfo:
        """Return what a body tells; one that is no JSON object tells nothing."""
        if len(body) > _SHORT:
            try:
                asked = self._read_new(body)
            except (msgspec.MsgspecError, ValueError, RecursionError, TypeError):
                asked = None  # orjson has the last word on what is JSON
            if asked is not None:
                return asked
        return _whole(parse_object(body) or {})

    def _read_new(self, body: bytes) -> RequestInfo | None:
        """Parse only what was not there before, but split all of it; None where that does not help."""
        outer = _OBJECT.decode(body)
        held = next((name for name in MESSAGES if name in outer), None)
        if held is None:
            return None
        messages = _LIST.decode(outer.pop(held))
        fields = {}
        for name, raw in outer.items():
            if name in _TELLING:
                fields[name] = orjson.loads(bytes(raw))
            else:
                self._links.check(bytes(raw))
        return RequestInfo(fields, self._links.chain(messages))


def _whole(document: Json) -> RequestInfo:
    try:
        return RequestInfo(document, chain(messages_of(document)))
    except (RecursionError, TypeError):
        return RequestInfo(document)  # nested deeper than any conversation, or than orjson writes
