"""Which session a call belongs to, its number there, and whether it forks off.

Holds the latest sessions in memory, bounded; those on record since before the start are recalled at their
first call.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b

from proxy.content.clients import Client
from proxy.sessions.replay import Past, SessionHead, Unanswered
from proxy.sessions.tree import Node, Place, Session, Tree

# What is kept of the latest sessions, and of the latest response ids that lead to them.
REMEMBERED = 10_000
# The histories of all sessions together, at about 200 bytes each; past it the oldest are forgotten.
HISTORIES = 100_000
# Conversations that begin with the same words; of more, the oldest are not found by them.
_ALIKE = 64
_DIGEST = 16  # bytes; 128 bits: no two names meet by chance

Where = tuple[str, str]
"""Provider and upstream."""

Recall = Callable[[str, str], Past | None]
"""Returns what is on record of an upstream's session, or None where its file is gone."""


@dataclass(slots=True, eq=False)
class Family:
    """A client session: its tree, those of its sessions that are to be recalled, how it is found."""

    tree: Tree
    unread: tuple[Session, ...] = ()
    handle: bytes = b""
    begun: tuple[Where, bytes] | None = None
    """The first messages, by which a client without a key finds it."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a call was put. ``is_new`` says that the session starts with it.

    ``parent`` is the number of the call that it continues, 0 where there is none in this session.
    ``forked_from`` is the session that it left, and the call there. ``interrupted`` are calls of sessions
    just recalled that never got their response.
    """

    session: Session
    seq: int
    is_new: bool
    family: Family
    parent: int = 0
    forked_from: tuple[str, int] | None = None
    interrupted: Sequence[Unanswered] = ()


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
        self._recall = recall
        self._remembered = remembered
        self._most_histories = histories
        self._families: OrderedDict[bytes, Family] = OrderedDict()
        self._begun: dict[Where, dict[bytes, list[Family]]] = {}
        self._responses: OrderedDict[bytes, tuple[Family, Session]] = OrderedDict()
        self._histories = 0
        self._interrupted: list[Unanswered] = []
        self._know(known)

    def place(self, where: Where, client: Client, links: Sequence[bytes], fresh: str) -> Placement:
        """Give a call its session and number.

        ``links`` is the chain of its messages, empty where it has none; ``fresh`` is the name for a session
        that starts with it.
        """
        found = self._find(where, client, links)
        family, default = found or (Family(Tree(Session(fresh))), None)
        self._read(where, family)
        before = len(family.tree.nodes)
        place = family.tree.grow(links, fresh, default)
        self._histories += len(family.tree.nodes) - before
        self._remember(where, client, family)
        interrupted, self._interrupted = self._interrupted, []
        place.session.seq += 1
        return _placement(place, family, interrupted)

    def knows_answer(self, where: Where, response_id: str) -> bool:
        """Tell whether a response of this id was noted, and is remembered."""
        return _digest(where, "response", response_id) in self._responses

    def answered(self, where: Where, placement: Placement, response_id: str) -> None:
        """Note a response's id, by which a later call may name it as the one before."""
        self._chain(where, placement.family, placement.session, response_id)

    def _find(
        self, where: Where, client: Client, links: Sequence[bytes]
    ) -> tuple[Family, Session | None] | None:
        if client.key and (family := self._families.get(_digest(where, "key", client.key))):
            return family, None
        if client.previous_response:
            return self._responses.get(_digest(where, "response", client.previous_response))
        if not client.key and (family := self._continued(where, links)):
            return family, None
        return None

    def _continued(self, where: Where, links: Sequence[bytes]) -> Family | None:
        """Return the family without a key that a request continues.

        Of several that which shares most; then one that nothing continued yet; then the latest.
        """
        begun = self._begun.get(where, {})
        alike = [family for link in links[:-1] for family in begun.get(link, ())]
        best = (0, False)
        found = None
        for family in alike:
            self._read(where, family)
            shared, continued = family.tree.shared(links)
            if shared and (shared, not continued) >= best:
                best, found = (shared, not continued), family
        return found

    def _remember(self, where: Where, client: Client, family: Family) -> None:
        """Keep a family that a later call can find, as the one used latest."""
        if client.key:
            handle = _digest(where, "key", client.key)
            self._keep(handle, family)
        elif not family.handle and family.tree.nodes:
            first = family.tree.nodes[0]
            self._begin(where, family, first.link)
            self._keep(_digest(where, "session", first.session.name), family)
        if family.handle in self._families:
            self._families.move_to_end(family.handle)
        self._forget()

    def _keep(self, handle: bytes, family: Family) -> None:
        family.handle = family.handle or handle
        self._families[handle] = family

    def _begin(self, where: Where, family: Family, link: bytes) -> None:
        family.begun = (where, link)
        alike = self._begun.setdefault(where, {}).setdefault(link, [])
        alike.append(family)
        del alike[:-_ALIKE]

    def _chain(self, where: Where, family: Family, session: Session, response_id: str) -> None:
        self._responses[_digest(where, "response", response_id)] = (family, session)
        if len(self._responses) > self._remembered:
            self._responses.popitem(last=False)

    def _forget(self) -> None:
        while len(self._families) > self._remembered or (
            self._histories > self._most_histories and len(self._families) > 1
        ):
            handle, family = self._families.popitem(last=False)
            if handle == family.handle:
                self._histories -= len(family.tree.nodes)
                self._unlist(family)
        if self._histories > self._most_histories:  # one family alone
            for family in self._families.values():
                del family.tree.nodes[: self._histories - self._most_histories]
            self._histories = self._most_histories

    def _unlist(self, family: Family) -> None:
        if family.begun is None:
            return
        where, link = family.begun
        begun = self._begun[where]
        alike = [each for each in begun.get(link, ()) if each is not family]
        if alike:
            begun[link] = alike
        else:
            begun.pop(link, None)
        if not begun:
            del self._begun[where]

    # Sessions of earlier runs.

    def _know(self, known: Iterable[SessionHead]) -> None:
        latest = list(known)
        families: dict[str, Family] = {}
        for each in sorted(latest, key=lambda each: each.session):  # a parent session before its forks
            where = (each.provider, each.upstream)
            session = Session(each.session)
            family = self._kin(where, each, families)
            if family is None:
                family = Family(Tree(session))
            family.tree.latest = session
            family.unread += (session,)
            families[each.session] = family
            if each.client_session:
                self._keep(_digest(where, "key", each.client_session), family)
            elif each.begun and not family.handle:
                self._begin(where, family, each.begun)
                self._keep(_digest(where, "session", each.session), family)
            for response_id in each.responses:
                self._chain(where, family, session, response_id)
        for each in latest:
            if (handle := families[each.session].handle) in self._families:
                self._families.move_to_end(handle)
        self._forget()

    def _kin(self, where: Where, known: SessionHead, families: dict[str, Family]) -> Family | None:
        if known.client_session:
            return self._families.get(_digest(where, "key", known.client_session))
        return families.get(known.parent)

    def _read(self, where: Where, family: Family) -> None:
        """Recall what is on record of a family, once."""
        unread, family.unread = family.unread, ()
        nodes: dict[tuple[str, int], Node] = {}
        links: set[bytes] = set()
        for session in unread:
            past = self._recall(where[1], session.name)
            if past is None:
                continue
            session.seq = past.seq
            self._interrupted += past.unanswered
            parent = nodes.get(past.forked_from) if past.forked_from else None
            for told in past.requests:
                if told.link not in links:
                    links.add(told.link)
                    parent = nodes.get((session.name, told.parent)) or parent
                    nodes[session.name, told.seq] = family.tree.add(told.link, session, told.seq, parent)
                    self._histories += family.handle != b""
                parent = None


def session_name(now_ns: int, token: str) -> str:
    """Return ``YYYYMMDD-HHMMSS-<token>`` in UTC; ``token`` is 8 hexadecimal digits."""
    return f"{_begun(now_ns // 10**9)}-{token}"


# Every call comes with a name for the session that it may begin.
@lru_cache(maxsize=8)
def _begun(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%d-%H%M%S}"


def chains(path: str) -> bool:
    """Tell whether a call's response may be named by the next one as the one before."""
    return path.rstrip("/").endswith("/responses")


def _placement(place: Place, family: Family, interrupted: Sequence[Unanswered]) -> Placement:
    session, parent = place.session, place.parent
    left = parent if place.forks else None
    return Placement(
        session,
        session.seq,
        session.seq == 1,
        family,
        parent=parent.seq if parent is not None and parent.session is session else 0,
        forked_from=(left.session.name, left.seq) if left else None,
        interrupted=interrupted,
    )


def _digest(where: Where, kind: str, name: str) -> bytes:
    return blake2b("\0".join((*where, kind, name)).encode(), digest_size=_DIGEST).digest()
