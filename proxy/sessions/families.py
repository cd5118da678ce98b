"""The client sessions that are remembered, bounded, and all by which a call can find one."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from proxy.content.messages.chain import Step
from proxy.content.request_info import Setting
from proxy.sessions.replay import Handle, LoggedReply, Past, SessionHead, Unanswered
from proxy.sessions.tree import Asked, Node, Session, State, Tree, again

# Conversations that begin with the same words; of more, the oldest are not found by them.
_ALIKE = 64
_DIGEST = 16  # bytes; 128 bits: no two names meet by chance

Where = tuple[str, str]
"""Provider and upstream."""

_Same = dict[tuple[bytes, str], list[Node]]
"""The nodes by link and line."""

Recall = Callable[[str, str], Past | None]
"""Returns what is on record of an upstream's session, or None where its file is gone."""


@dataclass(slots=True, eq=False)
class Family:
    """A client session: its tree, those of its sessions that are to be recalled, how it is found."""

    tree: Tree
    unread: tuple[Session, ...] = ()
    handle: bytes = b""
    key: str = ""
    """The client's own name for it; empty where it has none."""
    begun: tuple[Where, bytes] | None = None
    """The first messages, by which a client without a key finds it."""
    unresolved: list[bytes] = field(default_factory=list)
    """The handles of which the calls are not known before it is recalled."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a handle leads to: a family, and one call of it where that is known."""

    family: Family
    session: Session
    node: Node | None = None
    seq: int = 0


class Families:
    """The families of one proxy, the one used latest last. Names of different providers never meet."""

    def __init__(self, recall: Recall, known: Iterable[SessionHead], remembered: int, histories: int) -> None:
        """``known`` are the sessions on record, the one used latest last."""
        self._recall = recall
        self._remembered = remembered
        self._most_histories = histories
        self._families: OrderedDict[bytes, Family] = OrderedDict()
        self._begun: dict[Where, dict[bytes, list[Family]]] = {}
        self._named: OrderedDict[bytes, Named] = OrderedDict()
        self._histories = 0
        self._interrupted: list[Unanswered] = []
        self._know(known)

    def by_key(self, where: Where, key: str) -> Family | None:
        """Return the family that a client's key names, recalled."""
        family = self._families.get(_digest(where, "key", key)) if key else None
        if family is None or family.handle not in self._families:
            return None
        self.read(where, family)
        return family

    def by_handle(self, where: Where, kind: str, name: str) -> Named | None:
        """Return what a handle leads to, recalled."""
        digest = _digest(where, kind, name)
        named = self._named.get(digest)
        if named is not None and named.family.unread:
            self.read(where, named.family)
            named = self._named.get(digest, named)
        return named

    def alike(self, where: Where, links: Iterable[bytes]) -> Iterator[Family]:
        """Return the families of which the first call has one of these links; not recalled yet."""
        begun = self._begun.get(where)
        if begun:
            for link in links:
                yield from tuple(begun.get(link, ()))

    def remember(self, where: Where, family: Family) -> None:
        """Keep a family that a later call can find, as the one used latest."""
        if family.begun is None and family.tree.nodes:
            self._begin(where, family, family.tree.nodes[0].link)
        if family.key:
            self._keep(_digest(where, "key", family.key), family)
        elif not family.handle and family.tree.nodes:
            self._keep(_digest(where, "session", family.tree.nodes[0].session.name), family)
        if family.handle in self._families:
            self._families.move_to_end(family.handle)
        self._forget()

    def alias(self, where: Where, key: str, family: Family) -> None:
        """Let a family be found by the key of a subagent too."""
        self._keep(_digest(where, "key", key), family)

    def name(self, where: Where, handle: Handle, named: Named) -> None:
        """Let a call be found by a handle."""
        digest = _digest(where, handle.kind, handle.name)
        self._named[digest] = named
        self._named.move_to_end(digest)
        if len(self._named) > self._remembered:
            self._named.popitem(last=False)

    def grown(self, by: int) -> None:
        """Count histories that were added."""
        self._histories += by

    def interrupted(self) -> Sequence[Unanswered]:
        """Return the calls of sessions just recalled that never got their response, once."""
        interrupted, self._interrupted = self._interrupted, []
        return interrupted

    def _keep(self, digest: bytes, family: Family) -> None:
        family.handle = family.handle or digest
        self._families[digest] = family

    def _begin(self, where: Where, family: Family, link: bytes) -> None:
        family.begun = (where, link)
        alike = self._begun.setdefault(where, {}).setdefault(link, [])
        alike.append(family)
        del alike[:-_ALIKE]

    def _forget(self) -> None:
        while len(self._families) > self._remembered or (
            self._histories > self._most_histories and len(self._families) > 1
        ):
            digest, family = self._families.popitem(last=False)
            if digest == family.handle:
                self._histories -= len(family.tree.nodes)
                self._unlist(family)
        if self._histories > self._most_histories:  # one family alone
            for family in self._families.values():
                family.tree.forget(self._histories - self._most_histories)
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

    # What is on record since before the start.

    def _know(self, known: Iterable[SessionHead]) -> None:
        latest = list(known)
        families: dict[str, Family] = {}
        for each in sorted(latest, key=lambda each: each.session):  # what was left before what left it
            where = (each.provider, each.upstream)
            session = Session(each.session)
            family = self._kin(where, each, families)
            if family is None:
                family = Family(Tree(session), key=each.client_session)
            family.tree.latest = session
            family.unread += (session,)
            families[each.session] = family
            if each.begun and family.begun is None:
                self._begin(where, family, each.begun)
            if each.client_session:
                self._keep(_digest(where, "key", each.client_session), family)
            elif each.begun and not family.handle:
                self._keep(_digest(where, "session", each.session), family)
            for handle in each.handles:
                self._know_handle(where, handle, Named(family, session, seq=handle.seq))
        for each in latest:
            if (handle_of := families[each.session].handle) in self._families:
                self._families.move_to_end(handle_of)
        self._forget()

    def _know_handle(self, where: Where, handle: Handle, named: Named) -> None:
        if handle.kind == "alias":
            self.alias(where, handle.name, named.family)
            return
        self.name(where, handle, named)
        named.family.unresolved.append(_digest(where, handle.kind, handle.name))

    def _kin(self, where: Where, known: SessionHead, families: dict[str, Family]) -> Family | None:
        if known.client_session:
            return self._families.get(_digest(where, "key", known.client_session))
        return families.get(known.parent)

    def read(self, where: Where, family: Family) -> None:
        """Recall what is on record of a family, once."""
        unread, family.unread = family.unread, ()
        nodes: dict[tuple[str, int], Node] = {}
        same: _Same = {}
        for session in unread:
            past = self._recall(where[1], session.name)
            if past is None:
                continue
            session.seq = past.seq
            self._interrupted += past.unanswered
            before = len(family.tree.nodes)
            _replay(family.tree, session, past, nodes, same)
            self._histories += (len(family.tree.nodes) - before) * (family.handle != b"")
        unresolved, family.unresolved = family.unresolved, []
        for digest in unresolved:
            if (named := self._named.get(digest)) is not None and named.family is family:
                self._named[digest] = replace(named, node=nodes.get((named.session.name, named.seq)))


def _replay(
    tree: Tree, session: Session, past: Past, nodes: dict[tuple[str, int], Node], same: _Same
) -> None:
    """Make the nodes of a session from what is on record of it, as its calls did when they came."""
    parent = nodes.get(past.forked_from) if past.forked_from else None
    for call in past.calls:
        place = session.name, call.seq
        if isinstance(call, LoggedReply):
            if (node := nodes.get(place)) is not None:
                node.answer(call.reply, failed=call.failed)
            continue
        parent = nodes.get((session.name, call.parent)) or parent
        asked = Asked.of((Step(call.link),), Setting(call.model), call.line)
        alike = same.setdefault((call.link, call.line), [])
        node = again(alike, asked)
        if node is None:
            node = tree.add(asked, session, call.seq, parent)
            alike.append(node)
        node.state = State.AWAITED
        nodes[place] = node
        parent = None


def _digest(where: Where, kind: str, name: str) -> bytes:
    return blake2b("\0".join((*where, kind, name)).encode(), digest_size=_DIGEST).digest()
