"""Which dialect something is in, and the same in the words that ``message`` and ``reply`` read."""

from itertools import count

from shipper.commands.fetch.dialects import converse, gemini, ollama
from shipper.commands.fetch.document import Json, object_in


def as_message(raw: Json) -> Json:
    """Return a request's message; as it is where it is in the words that are read."""
    return gemini.message(raw) or converse.message(raw) or raw


def as_answer(document: Json) -> Json:
    """Return a whole answer; as it is where it is in the words that are read."""
    return gemini.answer(document) or converse.answer(document) or ollama.answer(document) or document


def system_of(body: Json) -> Json:
    """Return Gemini's system prompt as a message; empty where there is none."""
    return object_in(body, "systemInstruction") or object_in(body, "system_instruction")


class Events:
    """The events of one stream."""

    def __init__(self) -> None:
        self._numbers = count()

    def of(self, event: Json) -> list[Json]:
        """Return an event; as it is where it is in the words that are read."""
        told = gemini.events(event, self._numbers)
        told = told if told is not None else converse.events(event)
        told = told if told is not None else ollama.events(event)
        return [event] if told is None else told
