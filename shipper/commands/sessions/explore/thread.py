"""One session as it is read on a page: its calls in order, each request with its answer."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shipper.commands.fetch.conversation import Answered, Asked, Fork, Opening, Turn
from shipper.commands.fetch.message import Kind
from shipper.commands.sessions.explore.prose import difference

# Rendering a call takes a millisecond or two.
PAGE = 50


@dataclass(slots=True)
class Call:
    """A request with its answer; one that still runs has none.

    ``system`` and ``tools`` are what is new, as a difference where there was one before (``changed``).
    """

    seq: int
    asked: Asked | None = None
    answered: Answered | None = None
    system: str = ""
    tools: str = ""
    changed: bool = False
    cost: float | None = None

    @property
    def speed(self) -> float:
        """Tokens a second, from the first byte on; 0 where it cannot be said."""
        answered = self.answered
        if answered is None or answered.total_ms <= answered.first_ms or answered.chunks < 2:  # noqa: PLR2004 - no stream
            return 0.0
        return answered.tokens.get("output_tokens", 0) * 1000 / (answered.total_ms - answered.first_ms)


@dataclass(slots=True)
class Thread:
    """A session. ``others`` are lines that are no known record, ``troubles`` what could not be read."""

    opening: Opening | None = None
    fork: Fork | None = None
    calls: list[Call] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def results(self) -> dict[str, str]:
        """Return the tool's name for each id of a call, so that a result can be told whose it is."""
        return {
            block.id: block.name
            for call in self.calls
            if call.answered
            for block in call.answered.blocks
            if block.kind is Kind.TOOL_CALL and block.id
        }

    @property
    def pages(self) -> int:
        """Return how many pages there are."""
        return max(1, -(-len(self.calls) // PAGE))

    def page_of(self, seq: int) -> int:
        """Return the page on which a call stands, from 1; the last where there is no such call."""
        place = next((n for n, call in enumerate(self.calls) if call.seq == seq), len(self.calls) - 1)
        return max(0, place) // PAGE + 1


def thread_of(turns: Iterable[Turn]) -> Thread:
    """Put the turns of a session together."""
    thread = Thread()
    open_calls: dict[int, Call] = {}
    frames = _Frames()
    for turn in turns:
        match turn:
            case Opening():
                thread.opening = turn
            case Fork():
                thread.fork = turn
            case Asked():
                call = Call(turn.seq, turn)
                frames.put(call, turn)
                thread.calls.append(call)
                open_calls[turn.seq] = call
            case Answered():
                answered = open_calls.pop(turn.seq, None)
                if answered is None:
                    answered = Call(turn.seq)
                    thread.calls.append(answered)
                answered.answered = turn
            case _:
                thread.others.append(turn.text)
    return thread


class _Frames:
    """The system prompt and the tools of each agent by now."""

    def __init__(self) -> None:
        self._system: dict[str, str] = {}
        self._tools: dict[str, str] = {}

    def put(self, call: Call, asked: Asked) -> None:
        call.system, changed_system = _new(self._system, asked.agent, asked.system)
        call.tools, changed_tools = _new(self._tools, asked.agent, asked.tools)
        call.changed = changed_system or changed_tools


def _new(known: dict[str, str], agent: str, text: str) -> tuple[str, bool]:
    if not text:
        return "", False
    before = known.get(agent)
    known[agent] = text
    return (text, False) if before is None else (difference(before, text), True)
