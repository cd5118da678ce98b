"""A conversation as plain text that reads well, in the manner of Markdown, for a page of a given width."""

import re
import textwrap
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from shipper.commands.fetch.conversation import Answered, Asked, Fork, Opening, Other, Turn
from shipper.commands.fetch.message import Block, Kind, Message

# Below it no table or path reads well; above it no line of prose does.
LEAST_WIDTH, MOST_WIDTH = 60, 200
# What a tool gives back and what a client says of itself can be as long as a book; JSONL has all of it.
_RESULT_LINES, _RESULT_CHARACTERS = 60, 4000
_SYSTEM_LINES, _SYSTEM_CHARACTERS = 12, 800
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)")
# Control characters but the newline, and what turns the direction of writing.
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_INDENT = "    "
_QUOTE = "> "
_ROLES = {"developer": "System", "function": "Tool"}


def markdown(turns: Iterable[Turn], width: int) -> Iterator[str]:
    """Yield the lines of a conversation, without newlines; none is wider than ``width``, in its bounds."""
    page = _Page(min(MOST_WIDTH, max(LEAST_WIDTH, width)))
    for turn in turns:
        yield from page.turn(turn)


class _Page:
    """What is printed by now: the day, the call that stands open, and the names of its tools."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._day = ""
        self._call: int | None = None
        self._tools: dict[str, str] = {}

    def turn(self, turn: Turn) -> Iterator[str]:
        match turn:
            case Opening():
                yield from self._opening(turn)
            case Fork():
                after = f", which it left after call {turn.from_seq}" if turn.from_seq else ""
                yield from self._prose(f"A fork of session {turn.parent}{after}.")
            case Asked():
                yield from self._asked(turn)
            case Answered():
                yield from self._answered(turn)
            case Other():
                yield from self._heading("##", "A line that is no record")
                yield from self._literal(turn.text, _RESULT_LINES, _RESULT_CHARACTERS)

    def _opening(self, turn: Opening) -> Iterator[str]:
        yield from self._heading("#", f"Session {turn.session}")
        facts = (turn.provider, turn.upstream, turn.machine, _moment(turn.time))
        yield from self._prose(", ".join(filter(None, facts)))
        if turn.client_session:
            yield from self._prose(f"The client calls it {turn.client_session}.")
        self._day = _day(turn.time)

    def _asked(self, turn: Asked) -> Iterator[str]:
        agent = f"agent {turn.agent}" if turn.agent else ""
        yield from self._call_heading(turn.seq, turn.time, turn.model, agent)
        if turn.note:
            yield from self._prose(turn.note)
        if turn.system:
            yield from self._heading("###", "System")
            yield from self._cut_prose(turn.system)
        for message in turn.messages:
            yield from self._message(message)
        if turn.plain:
            yield from self._heading("###", f"{turn.method} {turn.path}".strip())
            yield from self._literal(turn.plain, _RESULT_LINES, _RESULT_CHARACTERS)

    def _answered(self, turn: Answered) -> Iterator[str]:
        if self._call != turn.seq:
            yield from self._call_heading(turn.seq, turn.time, "answered")
        yield from self._heading("###", f"Error {turn.status}" if turn.error else "Assistant")
        if turn.error:
            yield from self._prose(turn.error)
        for block in turn.blocks:
            yield from self._block(block)
        if turn.plain:
            yield from self._literal(turn.plain, _RESULT_LINES, _RESULT_CHARACTERS)
        yield from self._prose(f"[{_outcome(turn)}]")

    def _call_heading(self, seq: int, time: str, *facts: str) -> Iterator[str]:
        self._call = seq
        clock = _clock(time) if _day(time) == self._day else _moment(time)
        self._day = _day(time)
        yield from self._heading("##", ", ".join(filter(None, (f"Call {seq}", clock, *facts))))

    def _message(self, message: Message) -> Iterator[str]:
        role = _ROLES.get(message.role, message.role.capitalize())
        shown = [block for block in message.blocks if block.kind is not Kind.TOOL_RESULT]
        for block in message.blocks:
            if block.kind is Kind.TOOL_RESULT:
                yield from self._result(block)
        if shown:
            yield from self._heading("###", role)
        for block in shown:
            yield from self._cut_prose(block.text) if role == "System" else self._block(block)

    def _block(self, block: Block) -> Iterator[str]:
        match block.kind:
            case Kind.THINKING:
                yield from self._wrapped(block.text, _QUOTE)
            case Kind.TOOL_CALL:
                self._tools[block.id] = block.name
                yield from self._prose(f"**Calls {block.name}**")
                yield from self._wrapped(block.text, _INDENT)
            case Kind.TOOL_RESULT:
                yield from self._result(block)
            case _:
                yield from self._prose(block.text)

    def _result(self, block: Block) -> Iterator[str]:
        name = self._tools.get(block.id, "")
        told = f"Error of {name or 'a tool'}" if block.failed else f"Result of {name or 'a tool'}"
        yield from self._heading("###", told)
        yield from self._literal(block.text or "[nothing]", _RESULT_LINES, _RESULT_CHARACTERS)

    def _heading(self, mark: str, text: str) -> Iterator[str]:
        yield from textwrap.wrap(f"{mark} {_printable(text)}", self._width)
        yield ""

    def _prose(self, text: str) -> Iterator[str]:
        yield from self._wrapped(text, "")

    def _cut_prose(self, text: str) -> Iterator[str]:
        shown, rest = _cut(text, _SYSTEM_LINES, _SYSTEM_CHARACTERS)
        yield from self._prose(shown + rest)

    def _literal(self, text: str, lines: int, characters: int) -> Iterator[str]:
        shown, rest = _cut(text, lines, characters)
        yield from self._wrapped(shown + rest, _INDENT)

    def _wrapped(self, text: str, prefix: str) -> Iterator[str]:
        text = text.strip("\n")
        if not text:
            return
        for line in _printable(text).split("\n"):
            yield from (f"{prefix}{each}".rstrip() for each in _wrap(line, self._width - len(prefix)))
        yield ""


def _wrap(line: str, width: int) -> list[str]:
    """Return a line in pieces, indented like itself."""
    if len(line) <= width:
        return [line]
    indent = line[: min(len(line) - len(line.lstrip()), width // 2)]
    return textwrap.wrap(
        line.strip(), width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _cut(text: str, lines: int, characters: int) -> tuple[str, str]:
    """Return the beginning of a text, and a line that tells what is left out."""
    shown = "\n".join(text[:characters].split("\n")[:lines])
    left = len(text) - len(shown)
    return shown, f"\n[… and {left:,} more characters]" if left else ""


def _outcome(turn: Answered) -> str:
    tokens = turn.tokens
    taken = tokens.get("input_tokens", 0) + tokens.get("cache_creation_input_tokens", 0)
    facts = [
        turn.stop_reason,
        "" if turn.error or turn.status == HTTPStatus.OK else f"status {turn.status}",
        f"first byte after {_seconds(turn.first_ms)}" if turn.chunks else "",
        f"{_seconds(turn.total_ms)} in all" if turn.total_ms else "",
        f"{taken:,} tokens in" if tokens else "",
        f"{tokens['cache_read_input_tokens']:,} cached" if tokens.get("cache_read_input_tokens") else "",
        f"{tokens['output_tokens']:,} out" if "output_tokens" in tokens else "",
        f"{tokens['reasoning_tokens']:,} of them reasoning" if tokens.get("reasoning_tokens") else "",
        turn.model,
    ]
    return ", ".join(filter(None, facts)) or "no answer"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.1f} s"


def _day(time: str) -> str:
    found = _TIME.match(time)
    return found[1] if found else ""


def _clock(time: str) -> str:
    found = _TIME.match(time)
    return found[2] if found else time


def _moment(time: str) -> str:
    found = _TIME.match(time)
    return f"{found[1]} {found[2]} UTC" if found else time


def _printable(text: str) -> str:
    """Write out what could steer a terminal; tabs become blanks."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r", "").expandtabs(4))
