"""Which session a call belongs to, its number there, and whether it forks off.

Holds the latest sessions in memory, bounded; those on record since before the start are recalled at their
first call.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from proxy.content.clients import Client
from proxy.content.messages.chain import Step, chain_after
from proxy.content.messages.reply import MARK_BYTES
from proxy.content.request_info import Setting
from proxy.sessions.families import Families, Family, Named, Recall, Where
from proxy.sessions.replay import Handle, SessionHead, Unanswered, line_of
from proxy.sessions.tree import CONTRADICTS, UNKNOWN, Asked, Match, Node, Place, Session, State, Tree, again

# What is kept of the latest sessions, and of the latest answers that lead to them.
REMEMBERED = 10_000
# The histories of all sessions together, at about 400 bytes each; past it the oldest are forgotten.
HISTORIES = 100_000
# A window that slid, or a client that writes its history anew, has the latest replies near the end.
_LOOKED_BACK = 8
# Of several equal calls the one that is made again failed; or its failure is not known yet.
_RETRIED = {State.FAILED: 3.0, State.AWAITED: 2.0, State.GIVEN: 1.0}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a call was put. ``is_new`` says that the session starts with it.

    ``parent`` is the number of the call that it continues, 0 where there is none in this session.
    ``forked_from`` is the session that it left, and the call there. ``link`` is the last of its history's
    chain. ``interrupted`` are calls of sessions just recalled that never got their response.
    """

    session: Session
    seq: int
    is_new: bool
    family: Family
    client: Client
    parent: int = 0
    forked_from: tuple[str, int] | None = None
    link: bytes = b""
    node: Node | None = None
    opening: bytes = b""
    interrupted: Sequence[Unanswered] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back: the marks of the reply, and the provider's id. A failed call can be made again."""

    reply: bytes = b""
    failed: bool = False
    response_id: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a call goes on: a family, and a call of it where something else than the messages tells it."""

    family: Family
    session: Session | None = None
    after: Node | None = None
    is_alias: bool = False


class Sessions:
    """The sessions of one proxy. Keys of different providers or upstreams never meet."""

    def __init__(
        self,
        recall: Recall,
        known: Iterable[SessionHead] = (),
        remembered: int = REMEMBERED,
        histories: int = HISTORIES,
    ) -> None:
        """``known`` are the sessions on record, the one used latest last."""
        self._families = Families(recall, known, remembered, histories)
        self._handles: list[tuple[Where, str, Handle]] = []

    def place(
        self, where: Where, client: Client, steps: Sequence[Step], setting: Setting, fresh: str
    ) -> Placement:
        """Give a call its session and number.

        ``steps`` is the chain of its messages, empty where it has none; ``fresh`` is the name for a session
        that starts with it.
        """
        asked = _asked(client, steps, setting)
        found = self._find(where, client, asked)
        left = None if found else self._client_fork(where, client, asked)
        found = found or _Found(Family(Tree(Session(fresh)), key=client.key))
        family = found.family
        before = len(family.tree.nodes)
        if left is not None:
            session = family.tree.latest
            place = Place(session, left, forks=True, node=family.tree.add(asked, session, 1, None))
        else:
            place = family.tree.grow(asked, fresh, found.session, found.after)
        self._families.grown(len(family.tree.nodes) - before)
        self._families.remember(where, family)
        if found.is_alias:
            self._families.alias(where, client.key, family)
            self._handles.append((where, place.session.name, Handle("alias", client.key)))
        place.session.seq += 1
        return _placement(place, family, client, asked, self._families.interrupted())

    def knows_answer(self, where: Where, response_id: str) -> bool:
        """Tell whether a response of this id was noted, and is remembered."""
        return self._families.by_handle(where, "response_id", response_id) is not None

    def answered(self, where: Where, placement: Placement, outcome: Outcome) -> None:
        """Take what was said to a call, by which a later one may be found to continue it."""
        if placement.node is not None:
            placement.node.answer(outcome.reply, failed=outcome.failed)
        named = Named(placement.family, placement.session, placement.node, placement.seq)
        if outcome.response_id and placement.client.kept:
            self._name(where, Handle("response_id", outcome.response_id, placement.seq), named)
        if outcome.reply and placement.opening and not placement.family.key:
            name = _reply_name(placement.opening, outcome.reply)
            self._name(where, Handle("reply", name, placement.seq), named)

    def new_handles(self) -> Sequence[tuple[Where, str, Handle]]:
        """Return what later calls may name, with the session's name, for the record; once."""
        handles, self._handles = self._handles, []
        return handles

    def _name(self, where: Where, handle: Handle, named: Named) -> None:
        self._families.name(where, handle, named)
        self._handles.append((where, named.session.name, handle))

    def _find(self, where: Where, client: Client, asked: Asked) -> _Found | None:
        families = self._families
        named = families.by_handle(where, "response_id", client.previous) if client.previous else None
        if (family := families.by_key(where, client.key)) is not None:
            return _Found(family, *_call_of(named if named and named.family is family else None))
        if (family := families.by_key(where, client.parent_key)) is not None:
            return _Found(family, is_alias=True)
        if client.key:
            return None
        if not client.previous:
            if (family := self._continued(where, asked)) is not None:
                return _Found(family)
            named = self._by_reply(where, asked)
        return _Found(named.family, *_call_of(named)) if named else None

    def _continued(self, where: Where, asked: Asked) -> Family | None:
        """Return the family without a key that a request continues, or of which it repeats a failed call.

        Only one of which it repeats a reply, or of which the reply is not known. Where a client changes the
        replies beyond recognition, the only one that begins alike.
        """
        best: tuple[int, float, int, bool] | None = None
        found = None
        strangers = []
        for family in self._families.alike(where, asked.lengths):
            if family.key:
                continue
            self._families.read(where, family)
            match = family.tree.match(asked)
            rank = _rank(family, match, asked)
            if rank is None:
                strangers.append((family, match.parent))
            elif best is None or rank >= best:
                best, found = rank, family
        return found or _only_stranger(strangers, asked)

    def _by_reply(self, where: Where, asked: Asked) -> Named | None:
        """Return the call of which a request repeats the reply amid other messages."""
        for opening, reply in _replies(asked):
            named = self._families.by_handle(where, "reply", _reply_name(opening, reply))
            if named is not None and not named.family.key:
                return named
        return None

    def _client_fork(self, where: Where, client: Client, asked: Asked) -> Node | None:
        """Return the call at which a client left another session of its own, to go on under a new key."""
        if not client.key:
            return None
        if client.previous:
            named = self._families.by_handle(where, "response_id", client.previous)
            return named.node if named else None
        best: tuple[int, float] = (0, UNKNOWN)
        left = None
        for family in self._families.alike(where, asked.lengths):
            self._families.read(where, family)
            match = family.tree.match(asked)
            if match.evidence > UNKNOWN and (match.length, match.evidence) >= best:
                best, left = (match.length, match.evidence), match.parent
        return left


def session_name(now_ns: int, token: str) -> str:
    """Return ``YYYYMMDD-HHMMSS-<token>`` in UTC; ``token`` is 8 hexadecimal digits."""
    return f"{_begun(now_ns // 10**9)}-{token}"


# Every call comes with a name for the session that it may begin.
@lru_cache(maxsize=8)
def _begun(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%d-%H%M%S}"


def _call_of(named: Named | None) -> tuple[Session | None, Node | None]:
    return (named.session, named.node) if named else (None, None)


def _asked(client: Client, steps: Sequence[Step], setting: Setting) -> Asked:
    named = bool(client.previous)
    if named:
        steps = chain_after(client.previous, steps)
    return Asked.of(steps, setting, line_of(client.agent, named=named), is_retry=client.is_retry)


def _rank(family: Family, match: Match, asked: Asked) -> tuple[int, float, int, bool] | None:
    """Return how well a request fits a family; None where it begins alike and contradicts its replies."""
    node = again(match.same, asked)
    if node is not None and (node.parent is not None or _is_retry(node, asked)):
        return len(asked.steps), _RETRIED[node.state], node.setting.likeness(asked.setting), True
    parent = match.parent
    if parent is None or (match.evidence == CONTRADICTS and not family.tree.repeats(asked)):
        return None
    return match.length, match.evidence, parent.setting.likeness(asked.setting), not parent.continued


def _is_retry(first: Node, asked: Asked) -> bool:
    """Tell a retry of a conversation's first call from another conversation that begins alike."""
    failed = first.state is State.FAILED or asked.is_retry
    return failed and not first.setting.differs(asked.setting)


def _only_stranger(strangers: Sequence[tuple[Family, Node | None]], asked: Asked) -> Family | None:
    parents = [(family, parent) for family, parent in strangers if parent is not None]
    if len(parents) != 1:
        return None
    family, parent = parents[0]
    is_open = parent.state is State.GIVEN and not parent.continued
    return family if is_open and not parent.setting.differs(asked.setting) else None


def _replies(asked: Asked) -> Iterator[tuple[bytes, bytes]]:
    """Yield the replies that a request repeats, the latest first, each with the opening of its question."""
    found = []
    opening = b""
    is_run = False
    for step in asked.steps:
        if step.said is None:
            opening, is_run = step.opening or opening, is_run and bool(step.system)
        elif not is_run and step.said and opening:
            found.append((opening, step.said))
            is_run = True
    yield from found[: -_LOOKED_BACK - 1 : -1]


def _reply_name(opening: bytes, reply: bytes) -> str:
    return (opening + reply[:MARK_BYTES]).hex()


def _placement(
    place: Place, family: Family, client: Client, asked: Asked, interrupted: Sequence[Unanswered]
) -> Placement:
    session, parent = place.session, place.parent
    left = parent if place.forks else None
    return Placement(
        session,
        session.seq,
        session.seq == 1,
        family,
        client,
        parent=parent.seq if parent is not None and parent.session is session else 0,
        forked_from=(left.session.name, left.seq) if left else None,
        link=asked.link,
        node=place.node,
        opening=next((step.opening for step in reversed(asked.steps) if step.opening), b""),
        interrupted=interrupted,
    )
