"""The calls of one client session as a tree: whose continuation each is, what is a retry, and what forks.

Theory of operation
===================

An API for language models has no conversations. Each call repeats all that was said, so a conversation is
what can be read from the repetitions. This module sees one client session: the calls that the client put
under one name, or that were found to belong together. It answers three questions for each call: was it made
before, which one does it continue, and does it leave its session?

**What is known of a call.** Its messages, as a chain of links: two calls have the same first n messages
exactly when their n-th links are equal (``content.messages.chain``). Its setting: model, system prompt,
tools. Its line: the agent that makes it, where the client tells; calls of the main conversation have the
empty line. Calls that name an answer which the provider keeps (``previous_response_id``) repeat nothing:
that answer's call is their parent, and they have a line of their own beside their agent's.

**Nodes.** A node stands for one place in the conversation: a request, and all that was answered to it::

                      a reply, or an answer that nobody can read
            AWAITED ----------------------------------------------> GIVEN
             ^    |                                                   |
             |    | an error, or a client that left                   | the same again, once it was
             |    v                                                   | continued: a replay
             '-- FAILED                                               |
             |     the same again: a retry                            |
             '--------------------------------------------------------'

**The same messages again.** To a FAILED node it is a retry and takes its place: 429, 429, 200 is one node.
So is what the client calls a retry. To a node that was continued it is a replay: the user went back to that
place, and what follows is compared with what followed before. To any other node it is a second conversation
that begins alike (a batch of equal prompts): a node beside the first.

**The parent** is the longest earlier request of which the messages are a proper prefix of the call's own.
Of several that are equally long it is one of the same line, then the one whose reply the call repeats best,
then the one with the most similar setting, then one that nothing continues yet, then the latest. What a
call repeats of a reply can be all of it, or a part; can be unknown, because the reply has not come yet,
nobody can read it, or the call repeats none; or can contradict it.

**Forks.** A call forks when its parent has another continuation of the same line which was itself continued
in that line. The cases:

- a side question that replays the history (a title, a suggestion): nothing continues it, so nothing forks;
- an edited message: what the first way had was continued, so the new one forks;
- a message that is edited before anything came after it: the first way is given up without a fork;
- subagents that inherit the history: each is a line, so neither they nor the main conversation fork;
- a branch of ``previous_response_id``: as an edited message;
- a history that continues nothing (a subagent with a task of its own, a compaction, a window that slid): it
  has no parent, and goes to the session where its line is, or to the latest one.

A fork begins a session. Whatever continues it is placed there by its parent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from proxy.content.messages.chain import Step
from proxy.content.messages.reply import MARK_BYTES, split_marks
from proxy.content.request_info import Setting

# What a node keeps of the replies to it; more than a few come only from one that is replayed.
_MOST_REPLY = 64 * MARK_BYTES
# Equal requests side by side, as a batch of equal prompts makes them; of more, the oldest are not found.
_EQUAL = 64
# Evidence above UNKNOWN is 1 and the share of the marks that are known.
CONTRADICTS = 0.0
UNKNOWN = 1.0


class State(Enum):
    """Whether a request has its answer."""

    AWAITED = auto()
    GIVEN = auto()
    FAILED = auto()


@dataclass(slots=True, eq=False)
class Session:
    """One session: its name, and the number of its latest call."""

    name: str
    seq: int = 0


@dataclass(slots=True, eq=False)
class Node:
    """A place in a conversation; ``link`` is the last of its chain, ``reply`` the marks of its replies."""

    link: bytes
    session: Session
    seq: int
    line: str = ""
    setting: Setting = field(default_factory=Setting)
    parent: "Node | None" = None
    state: State = State.AWAITED
    reply: bytes = b""
    continued: bool = False
    branched: tuple[str, ...] = ()
    """The lines that have a continuation of it which was itself continued; any other one of theirs forks."""

    def answer(self, reply: bytes, *, failed: bool) -> None:
        """Take the marks of a reply; one that failed may still have begun."""
        self.state = State.FAILED if failed else State.GIVEN
        if reply not in self.reply:
            self.reply = (reply + self.reply)[:_MOST_REPLY]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of a request. ``lengths`` are the numbers of messages up to each link."""

    steps: Sequence[Step]
    setting: Setting
    line: str
    is_retry: bool
    lengths: dict[bytes, int]

    @classmethod
    def of(
        cls, steps: Sequence[Step], setting: Setting | None = None, line: str = "", *, is_retry: bool = False
    ) -> "Asked":
        """Return what a request's steps tell."""
        lengths = {step.link: length for length, step in enumerate(steps, 1) if step.link}
        return cls(steps, setting or Setting(), line, is_retry, lengths)

    @property
    def link(self) -> bytes:
        """The last link; empty where there are no messages but the system's."""
        return self.steps[-1].link if self.steps else b""

    def repeated(self, length: int) -> set[bytes]:
        """Return the marks of the reply that follows the first messages; empty where none does."""
        found: set[bytes] = set()
        for step in self.steps[length:]:
            if step.said is not None:
                found.update(split_marks(step.said))
            elif not step.system:
                break
        return found


@dataclass(frozen=True, slots=True)
class Match:
    """How a request fits a tree: the nodes with the same messages, and the parent with ``length`` of them."""

    same: Sequence[Node] = ()
    parent: Node | None = None
    length: int = 0
    evidence: float = CONTRADICTS


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request belongs: its session, and the request that it continues.

    ``forks`` says that the session begins with it, away from the parent's. ``node`` is its own; None where it
    has no messages.
    """

    session: Session
    parent: Node | None = None
    forks: bool = False
    node: Node | None = None


@dataclass(slots=True, eq=False)
class Tree:
    """The sessions of one client session: the first, and those that left it."""

    latest: Session
    nodes: list[Node] = field(default_factory=list)
    _by_link: dict[bytes, list[Node]] = field(default_factory=dict)
    """Of equal requests the latest."""

    def grow(
        self, asked: Asked, fresh: str, default: Session | None = None, after: Node | None = None
    ) -> Place:
        """Place a request.

        ``fresh`` names the session of a fork. What continues nothing goes to ``default``, else to where its
        line is, else to the latest session. ``after`` is the parent where something else than the messages
        tells it.
        """
        match = self.match(asked)
        if (node := again(match.same, asked)) is not None:
            node.state = State.AWAITED
            return Place(node.session, node.parent, node=node)
        parent = after or match.parent
        forks = parent is not None and asked.link != b"" and asked.line in parent.branched
        if forks:
            session = self.latest = Session(fresh)
        elif parent is not None:
            session = parent.session
        else:
            session = default or self._home(asked.line)
        node = self.add(asked, session, session.seq + 1, parent) if asked.link else None
        return Place(session, parent, forks, node)

    def add(self, asked: Asked, session: Session, seq: int, parent: Node | None) -> Node:
        """Note a request that was placed, and has messages."""
        setting = asked.setting
        if parent is not None and parent.setting == setting:
            setting = parent.setting  # one object for a whole conversation
        node = Node(asked.link, session, seq, asked.line, setting, parent)
        self.nodes.append(node)
        equal = self._by_link.setdefault(node.link, [])
        equal.append(node)
        del equal[:-_EQUAL]
        if parent is not None:
            parent.continued = True
            grandparent = parent.parent
            if grandparent is not None and parent.line == node.line not in grandparent.branched:
                grandparent.branched += (node.line,)
        return node

    def match(self, asked: Asked) -> Match:
        """Return how a request fits."""
        if not asked.link:
            return Match()
        total = asked.lengths[asked.link]
        own = [node for node in self._by_link.get(asked.link, ()) if node.line == asked.line]
        for link, length in reversed(asked.lengths.items()):
            candidates = self._by_link.get(link) if length < total else None
            if candidates:
                repeated = asked.repeated(length)
                parent = max(reversed(candidates), key=lambda node: _rank(node, asked, repeated))
                return Match(own, parent, length, evidence(parent, repeated))
        return Match(own)

    def forget(self, count: int) -> None:
        """Forget the first requests."""
        for node in self.nodes[:count]:
            equal = self._by_link.get(node.link, [])
            if node in equal:
                equal.remove(node)
            if not equal:
                self._by_link.pop(node.link, None)
        del self.nodes[:count]

    def repeats(self, asked: Asked) -> bool:
        """Tell whether a request repeats any reply of this tree at its place."""
        return any(
            evidence(node, repeated) > UNKNOWN
            for link, length in asked.lengths.items()
            if (equal := self._by_link.get(link)) and (repeated := asked.repeated(length))
            for node in equal
        )

    def _home(self, line: str) -> Session:
        if not line:
            return self.latest
        return next((node.session for node in reversed(self.nodes) if node.line == line), self.latest)


def again(same: Sequence[Node], asked: Asked) -> Node | None:
    """Return the node of which a request is a retry or a replay; None where it is a place of its own."""
    for node in _latest_first(same):
        if node.state is State.FAILED or (asked.is_retry and node.state is State.AWAITED):
            return node
    if asked.is_retry and same:
        return same[-1]
    return next((node for node in _latest_first(same) if node.continued), None)


def evidence(node: Node, repeated: set[bytes]) -> float:
    """Return how well what a request repeats fits the reply that was given."""
    if not repeated:
        return UNKNOWN
    if not node.reply:
        return CONTRADICTS if node.state is State.FAILED else UNKNOWN
    known = len(repeated.intersection(split_marks(node.reply)))
    return UNKNOWN + known / len(repeated) if known else CONTRADICTS


def _rank(node: Node, asked: Asked, repeated: set[bytes]) -> tuple[bool, float, int, bool]:
    return (
        node.line == asked.line,
        evidence(node, repeated),
        node.setting.likeness(asked.setting),
        not node.continued,
    )


def _latest_first(nodes: Sequence[Node]) -> Iterator[Node]:
    return reversed(nodes)
