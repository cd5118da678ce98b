"""One session as it is read on a page: its calls in order, each request with its answer."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from shipper.commands.fetch.conversation import Answered, Asked, Fork, Opening, Turn
from shipper.commands.fetch.message import Kind
from shipper.commands.sessions.cost import cost_of
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


class _Frames:
    """The system prompt and the tools of each agent by now."""

    def __init__(self) -> None:
        self._system: dict[str, str] = {}
        self._tools: dict[str, str] = {}

    def put(self, call: Call, asked: Asked) -> None:
        call.system, changed_system = _new(self._system, asked.agent, asked.system)
        call.tools, changed_tools = _new(self._tools, asked.agent, asked.tools)
        call.changed = changed_system or changed_tools


@dataclass(slots=True)
class Thread:
    """A session, as far as it was read: ``read`` takes more of it.

    ``others`` are lines that are no known record, ``troubles`` what could not be read.
    """

    turns: Callable[[], Iterator[tuple[int, Turn]]]
    provider: str
    fork: Fork | None = None
    calls: list[Call] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    _open: dict[int, Call] = field(default_factory=dict)
    _frames: _Frames = field(default_factory=_Frames)

    def read_to_page(self, page: int) -> None:
        """Read on until a page is whole, or to the end. Raises ``OSError``."""
        self._read(lambda: self._is_whole(page * PAGE))

    def read_to_call(self, seq: int) -> int:
        """Read on until the page with a call is whole, and return it; the last where there is no such call.

        Raises ``OSError``.
        """
        self._read(lambda: seq in self._open or any(call.seq == seq for call in self.calls))
        page = self._page_of(seq)
        self.read_to_page(page)
        return page

    def _read(self, enough: Callable[[], bool]) -> None:
        if enough():
            return
        for _, turn in self.turns():
            self._add(turn)
            if enough():
                return

    def _is_whole(self, calls: int) -> bool:
        """Tell whether so many calls and their answers were read; one that never ends is not waited for."""
        begun = len(self.calls)
        return begun >= calls + PAGE or (
            begun > calls and all(call.answered for call in self.calls[max(0, calls - PAGE) : calls])
        )

    def _add(self, turn: Turn) -> None:
        match turn:
            case Opening():
                self.provider = turn.provider or self.provider
            case Fork():
                self.fork = turn
            case Asked():
                call = Call(turn.seq, turn)
                self._frames.put(call, turn)
                self.calls.append(call)
                self._open[turn.seq] = call
            case Answered():
                self._answer(turn)
            case _:
                self.others.append(turn.text)

    def _answer(self, answered: Answered) -> None:
        call = self._open.pop(answered.seq, None)
        if call is None:
            call = Call(answered.seq)
            self.calls.append(call)
        call.answered = answered
        if answered.tokens:
            model = answered.model or (call.asked.model if call.asked else "")
            call.cost = cost_of(self.provider, model, answered.tokens, answered.time)

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

    def _page_of(self, seq: int) -> int:
        place = next((n for n, call in enumerate(self.calls) if call.seq == seq), len(self.calls) - 1)
        return max(0, place) // PAGE + 1


def _new(known: dict[str, str], agent: str, text: str) -> tuple[str, bool]:
    if not text:
        return "", False
    before = known.get(agent)
    known[agent] = text
    return (text, False) if before is None else (difference(before, text), True)
