"""What a session's lines tell for the list: from the small fields of each line, without its body."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from shipper.commands.fetch.document import parse_object
from shipper.commands.fetch.message import Kind, message_of, messages_in
from shipper.commands.sessions.cost import cost_of
from shipper.record.timestamp import parse_time, session_time

# Enough for a row of the list.
_WORDS = 160
_NANOSECONDS = 1_000_000_000


class _Meta(msgspec.Struct):
    ts: str = ""
    host: str = ""
    machine: str = ""
    session: str = ""
    agent: str = ""
    parent_agent: str = ""


class _Tool(msgspec.Struct):
    name: str = ""


class _Line(msgspec.Struct):
    type: str
    meta: _Meta = msgspec.field(name="_meta", default_factory=_Meta)
    provider: str = ""
    upstream: str = ""
    seq: int = 0
    model: str = ""
    status: int = 0
    usage: dict[str, float] = {}
    error: dict[str, Any] | None = None
    tool_calls: tuple[_Tool, ...] = ()
    headers: dict[str, tuple[str, ...]] = {}
    body: msgspec.Raw = msgspec.Raw(b"null")
    parent_session: str = ""
    from_seq: int = 0


_LINES = msgspec.json.Decoder(_Line)
_FAILED = 400


class Spent(msgspec.Struct):
    """What the calls of one model on one day used; ``unpriced`` calls have no known price."""

    calls: int = 0
    errors: int = 0
    fresh: int = 0
    cached: int = 0
    written: int = 0
    out: int = 0
    cost: float = 0.0
    unpriced: int = 0


class Agent(msgspec.Struct):
    """A subagent: the agent that has begun it, its first call, and how many it has made."""

    parent: str = ""
    seq: int = 0
    calls: int = 0


class Summary(msgspec.Struct):
    """One session. Times are in nanoseconds since 1970; ``spent`` is by ``<day> <model>``.

    ``offset`` is how far the file was read.
    """

    session: str
    path: str = ""
    host: str = ""
    provider: str = ""
    machine: str = ""
    first: int = 0
    last: int = 0
    words: str = ""
    client: str = ""
    parent: str = ""
    from_seq: int = 0
    requests: int = 0
    responses: int = 0
    broken: int = 0
    spent: dict[str, Spent] = {}
    models: dict[str, int] = {}
    tools: dict[str, int] = {}
    agents: dict[str, Agent] = {}
    offset: int = 0

    @property
    def total(self) -> Spent:
        """Return the sum over days and models."""
        return summed(self.spent.values())

    @property
    def calls(self) -> int:
        """How many calls there were, one that still runs included."""
        return max(self.requests, self.responses)

    @property
    def seconds(self) -> float:
        """How long it went on."""
        return max(0, self.last - self.first) / _NANOSECONDS

    @property
    def day(self) -> str:
        """The UTC day on which it began."""
        return day_of(self.first)


def day_of(nanoseconds: int) -> str:
    """Return the UTC day of a time."""
    return datetime.fromtimestamp(nanoseconds // _NANOSECONDS, UTC).strftime("%Y-%m-%d")


def summed(all_spent: Iterable[Spent]) -> Spent:
    """Return a sum."""
    total = Spent()
    for each in all_spent:
        for name in Spent.__struct_fields__:
            setattr(total, name, getattr(total, name) + getattr(each, name))
    return total


def begun(session: str, path: str) -> Summary:
    """Return the summary of a session of which nothing was read but its file's name."""
    moment = session_time(session) or 0
    return Summary(session, path, host=path.partition("/")[0], first=moment, last=moment)


def copied(summary: Summary) -> Summary:
    """Return a copy that shares nothing: one that is shown must not change."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(summary), type=Summary)


def add_line(summary: Summary, line: bytes) -> None:
    """Take a line into a session's summary."""
    try:
        record = _LINES.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        summary.broken += bool(line.strip())
        return
    _note_time(summary, record.meta.ts)
    summary.provider = summary.provider or record.provider
    summary.machine = summary.machine or record.meta.machine
    match record.type:
        case "fork":
            summary.parent, summary.from_seq = record.parent_session, record.from_seq
        case "request":
            _add_request(summary, record)
        case "response":
            _add_response(summary, record)


def _note_time(summary: Summary, text: str) -> None:
    moment = parse_time(text)
    if moment is not None:
        summary.first = min(summary.first or moment, moment)
        summary.last = max(summary.last, moment)


def _add_request(summary: Summary, record: _Line) -> None:
    summary.requests += 1
    if record.meta.agent:
        agent = Agent(record.meta.parent_agent, record.seq)
        summary.agents.setdefault(record.meta.agent, agent).calls += 1
    if record.model:
        summary.models.setdefault(record.model, 0)
    if not summary.client:
        summary.client = _client(next(iter(record.headers.get("User-Agent", ())), ""))
    if not summary.words:
        summary.words = first_words(bytes(record.body))


def _add_response(summary: Summary, record: _Line) -> None:
    summary.responses += 1
    model = record.model or next(reversed(summary.models), "")
    if model:
        summary.models[model] = summary.models.get(model, 0) + 1
    for tool in record.tool_calls:
        summary.tools[tool.name] = summary.tools.get(tool.name, 0) + 1
    spent = summary.spent.setdefault(f"{record.meta.ts[:10]} {model}", Spent())
    used = record.usage
    spent.calls += 1
    spent.errors += record.error is not None or record.status >= _FAILED
    spent.fresh += int(used.get("input_tokens", 0))
    spent.cached += int(used.get("cache_read_input_tokens", 0))
    spent.written += int(used.get("cache_creation_input_tokens", 0))
    spent.out += int(used.get("output_tokens", 0))
    if used:
        cost = cost_of(record.provider or summary.provider, model, used, record.meta.ts)
        spent.cost += cost or 0.0
        spent.unpriced += cost is None


def _client(agent: str) -> str:
    """Return a client's name and version: ``claude-cli 2.0.1``, ``OpenAI Python 2.9.0``."""
    words = agent.split()
    versioned = words and words[0].rpartition("/")[2][:1].isdigit()
    return " ".join(words[: 1 if versioned else 2]).replace("/", " ")[:_WORDS]


def first_words(body: bytes) -> str:
    """Return the first words of the user in a request's body, as it stands in the line: a JSON string.

    What clients add by themselves stands in tags, and is not the user's.
    """
    try:
        document = parse_object(msgspec.json.decode(body, type=str))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    for raw in (messages_in(document) if document else None) or ():
        message = message_of(raw)
        if message.role != "user":
            continue
        for block in message.blocks:
            words = " ".join(block.text.split())
            if block.kind is Kind.TEXT and words and not words.startswith("<"):
                return words[:_WORDS]
    return ""
