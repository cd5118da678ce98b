"""What all three wire formats share: the model's words, its token counts, the answer as a value."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.fakes.provider.order import Order, ToolUse

# Letters of two, three and four bytes, so that a split in the middle of one is easy to provoke.
DEFAULT_TEXT = "Here is the answer: café, naïve, 日本語, and a rocket 🚀 to end with."
THOUGHT = "The user wants an answer; a short one will do."

_BYTES_A_TOKEN = 4
_counter = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """A body in one piece, or the events of a stream; ``error`` is how this format breaks a stream off."""

    headers: tuple[tuple[str, str], ...]
    whole: bytes = b""
    events: tuple[bytes, ...] | None = None
    error: bytes = b""
    ping: bytes = b": ping\n\n"


def next_id(prefix: str, width: int = 22) -> str:
    """Return an id that looks like the provider's, unique in this process."""
    return f"{prefix}{next(_counter):0{width}x}"


def tokens(size: int) -> int:
    """Return a count that grows with the size of a text, as real ones do."""
    return max(1, size // _BYTES_A_TOKEN)


def spoken(order: Order) -> str:
    """Return the text that the model says."""
    text = order.text or DEFAULT_TEXT
    if order.text_bytes:
        repeats = order.text_bytes // len(text.encode()) + 1
        text = (text * repeats).encode()[: order.text_bytes].decode(errors="ignore")
    return text


def pieces(text: str, count: int) -> list[str]:
    """Split a text into at most ``count`` pieces of about the same length, none empty."""
    size = max(1, -(-len(text) // max(1, count)))
    return [text[start : start + size] for start in range(0, len(text), size)]


def wanted_tools(order: Order, body: Mapping[str, Any]) -> tuple[ToolUse, ...]:
    """Return the tools ordered, else the one that the request forces."""
    choice = body.get("tool_choice")
    if order.tools or not isinstance(choice, dict):
        return order.tools
    name = choice.get("name") or choice.get("function", {}).get("name")
    return (ToolUse(name, {"query": "weather"}),) if name else ()


def dumps(value: object) -> str:
    """Return compact JSON as text."""
    return orjson.dumps(value).decode()
