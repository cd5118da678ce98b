"""What a request's body tells of the call."""

from proxy.clients import Client
from proxy.history import chain, messages_of
from proxy.redact import looks_secret
from proxy.usage import Json


def model_of(document: Json | None) -> str | None:
    """Return the model asked for."""
    model = document.get("model") if document else None
    return model if isinstance(model, str) and not looks_secret(model) else None


def stream_of(document: Json | None) -> bool | None:
    """Return whether a stream was asked for, where the body says."""
    stream = document.get("stream") if document else None
    return stream if isinstance(stream, bool) else None


def conversation_of(document: Json | None, client: Client) -> tuple[int, list[bytes]]:
    """Return the number of messages and their chain; nothing where they go on from a named response."""
    if document is None or client.previous_response:
        return 0, []
    messages = messages_of(document)
    try:
        return len(messages), chain(messages)
    except (RecursionError, TypeError):
        return 0, []  # nested deeper than any conversation, or than orjson writes
