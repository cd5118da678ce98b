"""What a module of a dialect defines, and what it tells of an answer."""

import re
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from proxy.content.document import Json, text_in

Count = Literal[
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "cache_creation_5m_tokens",
    "cache_creation_1h_tokens",
    "reasoning_tokens",
    "cost",
]
# Of one answer so many tool calls are on record; a model that makes more is in a loop.
_MOST_TOOLS = 1000


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool that the model called."""

    id: str
    name: str


@dataclass(slots=True)
class Answer:
    """What is known of an answer by now; a dialect's ``read`` adds to it. Nothing is guessed.

    Of ``tokens`` the input counts are disjoint: cached input is no part of ``input_tokens``.
    ``reasoning_tokens`` are part of ``output_tokens``, and the two cache writes by time part of
    ``cache_creation_input_tokens``. ``cost`` is in the provider's currency, as it says.
    """

    model: str | None = None
    stop_reason: str | None = None
    response_id: str | None = None
    tokens: dict[Count, float] = field(default_factory=dict)
    tool_calls: list[ToolCall] = field(default_factory=list)
    failure: str | None = None
    """What the provider reported as an error after it had answered 200."""
    ended: bool = False
    """The dialect says that the answer is complete, whatever becomes of the connection."""
    dialect: str = ""
    """The name of the dialect that read it; empty where none did."""
    reply: bytes = field(default=b"", compare=False)
    """The marks of what was said (``messages.reply``)."""
    places: dict[Hashable, int] = field(default_factory=dict, compare=False, repr=False)
    """Which tool call stands at which place of a stream."""
    running: set[Hashable] = field(default_factory=set, compare=False, repr=False)
    """The choices that have begun and not ended."""

    def call(self, place: Hashable, tool: ToolCall) -> None:
        """Note the tool call at a place of the answer, once."""
        if place in self.places:
            self.tool_calls[self.places[place]] = tool
        elif len(self.tool_calls) < _MOST_TOOLS:
            self.places[place] = len(self.tool_calls)
            self.tool_calls.append(tool)

    def count(self, counts: dict[Count, int | None]) -> None:
        """Note token counts, where they are known, in place of earlier ones."""
        self.tokens |= {name: count for name, count in counts.items() if count is not None}

    def fail(self, holder: Json) -> None:
        """Note the error that an object holds or is; it ends the answer."""
        self.failure = failure_in(holder)
        self.ended = True


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a block's text, ``holder[field]``; the pieces of one block join to what the model said."""

    block: Hashable
    holder: Json
    field: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one dialect is read. All that is given in is JSON of any shape, and nothing raises."""

    name: str
    """The value of the label ``dialect`` in the metrics."""
    paths: tuple[re.Pattern[str], ...]
    """The ends of the paths where it is spoken, ``%3A`` undone; the groups ``model`` and ``stream`` say
    what the path tells of either."""
    history: tuple[str, ...]
    """The members of a request that may hold the messages; the first that is there does."""
    knows: Callable[[Json], bool]
    """Whether an object is an answer of this dialect, or an event of its stream."""
    read: Callable[[Answer, Json], None]
    """Take such an object for what it tells."""
    texts: Callable[[Json], Iterator[Text]]
    """The texts of an event that the next one may go on with."""
    tells_nothing: Callable[[bytes], bool] = lambda _: False
    """Whether an event's bytes carry text alone, so that it need not be parsed once the model is known."""
    streams: bool = False
    """Whether it streams where the request does not say."""


def failure_in(holder: Json) -> str:
    """Return what an error says: ``type (code): message``; what is no object is the message."""
    error = holder.get("error")
    if not isinstance(error, dict):
        error = holder if error is None else {"message": str(error)[:1024]}
    kind = text_in(error, "type") or text_in(error, "status")
    code = text_in(error, "code") or _number(error.get("code"))
    if kind and code and kind not in {code, "error"}:
        kind = f"{kind} ({code})"
    elif not kind or kind == "error":
        kind = code or "error"
    return f"{kind}: {text_in(error, 'message') or ''}".rstrip(": ")


def _number(value: Any) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def texts_of(holder: Any, fields: tuple[str, ...], place: Hashable) -> Iterator[Text]:
    """Yield those of an object's fields that are text."""
    if isinstance(holder, dict):
        for name in fields:
            if isinstance(holder.get(name), str):
                yield Text((name, str(place)), holder, name)
