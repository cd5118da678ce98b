"""The requests of one client session as a tree: whose continuation each is, and where it forks.

A request's parent is the longest earlier request whose messages are a proper prefix of its own. The same
messages again are a retry. A fork is a request whose parent already has another continuation that was itself
continued, so that a side question that replays the history makes none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class Session:
    """One session: its name, and the number of its latest call."""

    name: str
    seq: int = 0


@dataclass(slots=True, eq=False)
class Node:
    """The first request with its messages; ``link`` is the last of their chain (``proxy.history``)."""

    link: bytes
    session: Session
    seq: int
    parent: "Node | None" = None
    continued: bool = False
    branched: bool = False
    """A continuation of it was itself continued; any other one forks."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request belongs: its session, and the request that it continues.

    ``forks`` says that the session begins with it, away from the parent's.
    """

    session: Session
    parent: Node | None = None
    forks: bool = False


@dataclass(slots=True, eq=False)
class Tree:
    """The sessions of one client session: the first, and those that left it."""

    latest: Session
    nodes: list[Node] = field(default_factory=list)

    def grow(self, links: Sequence[bytes], fresh: str, default: Session | None = None) -> Place:
        """Place a request by the chain of its messages.

        ``fresh`` names the session of a fork. What continues nothing goes to ``default``, else to the latest
        session.
        """
        same, parent = self._find(links)
        if same is not None:
            return Place(same.session, same.parent)
        if parent is None:
            place = Place(default or self.latest)
        elif parent.branched:
            place = Place(Session(fresh), parent, forks=True)
            self.latest = place.session
        else:
            place = Place(parent.session, parent)
        if links:
            self.add(links[-1], place.session, place.session.seq + 1, parent)
        return place

    def add(self, link: bytes, session: Session, seq: int, parent: Node | None) -> Node:
        """Note a request that was placed before."""
        node = Node(link, session, seq, parent)
        self.nodes.append(node)
        if parent is not None:
            parent.continued = True
            if parent.parent is not None:
                parent.parent.branched = True
        return node

    def shared(self, links: Sequence[bytes]) -> tuple[int, bool]:
        """Return how many messages a request has of the one that it continues, and whether others do too."""
        parent = self._find(links)[1]
        return (links.index(parent.link) + 1, parent.continued) if parent else (0, False)

    def _find(self, links: Sequence[bytes]) -> tuple[Node | None, Node | None]:
        """Return the request with the same messages, and the longest that has fewer of them."""
        lengths = {link: length for length, link in enumerate(links, 1)}
        longest = 0
        same = parent = None
        for node in self.nodes:
            length = lengths.get(node.link, 0)
            if length == len(links) > 0:
                same = same or node
            elif length > longest:
                longest, parent = length, node
        return same, parent
