"""Ollama's own API, and Anthropic's older completions: a text, or a message as in chat."""

from typing import Any

from shipper.commands.fetch.document import Json, object_in, text_in


def answer(document: Json) -> Json | None:
    """Return a whole answer as chat has it, or one of the objects of a stream."""
    message = _message(document)
    return None if message is None else {"choices": [{"message": message}]}


def events(event: Json) -> list[Json] | None:
    """Return an event as chat has it."""
    message = _message(event)
    return None if message is None else [{"choices": [{"delta": message}]}]


def _message(document: Json) -> Json | None:
    if text_in(document, "type") == "completion":
        return {"content": text_in(document, "completion")}
    if "done" not in document:
        return None
    message: dict[str, Any] = object_in(document, "message") or {"content": text_in(document, "response")}
    return {**message, "reasoning": text_in(message, "thinking") or text_in(document, "thinking")}
