"""The bodies of each session that a later one can be told by, the sessions used latest first.

Nothing of a body is kept but its outline. All sessions together are bounded in bytes.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from proxy.recording.delta.outline import Key, Outline, front_of

# At 16 bytes a piece, and some 1,200 pieces a megabyte of an agent's body: 50 agents with 1.5 MB each, five
# bodies of each, take half of it.
MEMORY = 16 << 20
# What a session takes beside its bases.
_SESSION_BYTES = 512
# Histories of one session that go on side by side: subagents, and side questions that nothing continues.
_OPEN = 32
# Bases that another has continued; a retry or a side question goes on from one of the latest.
_CONTINUED = 3


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a body stands behind the last whole one: how many deltas, and how much new text, a reader needs.

    ``whole`` is the whole one's size in bytes.

    ``anchor`` is the ``seq`` that later bodies go back to; ``steps`` deltas and ``near`` bytes of new text
    stand between the two.
    """

    whole: int
    depth: int = 0
    new: int = 0
    anchor: int = 0
    steps: int = 0
    near: int = 0


@dataclass(slots=True, eq=False)
class Base:
    """A request on record: its number, its body's outline and chain."""

    seq: int
    outline: Outline
    chain: Chain
    continued: bool = False


@dataclass(frozen=True, slots=True)
class FileState:
    """A session's file as it is on disk; zeros while there is none."""

    inode: int = 0
    size: int = 0


@dataclass(slots=True, eq=False)
class _Session:
    file: FileState
    bases: dict[int, Base] = field(default_factory=dict)
    cost: int = 0
    flushes: int = 0
    """How many there had been when its latest base came."""


class Bases:
    """Of each session the bases that were used latest."""

    def __init__(self, memory: int = MEMORY) -> None:
        """``memory`` bounds all of them, in bytes."""
        self._memory = memory
        self._sessions: OrderedDict[str, _Session] = OrderedDict()
        self._cost = 0
        self._flushes = 0

    @property
    def cost(self) -> int:
        """About how many bytes of memory all take."""
        return self._cost

    def see(self, session: str, file: FileState) -> None:
        """Forget a session whose file, with its bases, is gone: removed, replaced or cut short."""
        held = self._sessions.get(session)
        if held is None:
            return
        is_there = file.inode or held.flushes == self._flushes
        if not is_there or held.file.inode not in (0, file.inode) or file.size < held.file.size:
            self.forget(session)
        else:
            held.file = file

    def flushed(self) -> None:
        """Note that all that was recorded is in files."""
        self._flushes += 1

    def forget(self, session: str) -> None:
        """Forget a session, as what is in its file is not known any more."""
        held = self._sessions.pop(session, None)
        if held is not None:
            self._cost -= held.cost

    def find(self, session: str, seq: int) -> Base | None:
        """Return a base by its number."""
        held = self._sessions.get(session)
        return held.bases.get(seq) if held is not None else None

    def latest(self, session: str) -> Iterator[Base]:
        """Return a session's bases, the one used latest first."""
        held = self._sessions.get(session)
        return reversed(list(held.bases.values())) if held is not None else iter(())

    def add(self, session: str, file: FileState, base: Base, parent: Base | None) -> None:
        """Remember a base, and that it continues ``parent``, where that is one of the session's."""
        held = self._sessions.setdefault(session, _Session(file))
        self._sessions.move_to_end(session)
        if parent is not None and held.bases.pop(parent.seq, None) is not None:
            parent.continued = True
            held.bases[parent.seq] = parent
        held.bases[base.seq] = base
        _prune(held.bases)
        self._cost -= held.cost
        held.flushes = self._flushes
        held.cost = _SESSION_BYTES + sum(each.outline.cost for each in held.bases.values())
        self._cost += held.cost
        while self._cost > self._memory:
            self.forget(next(iter(self._sessions)))


def _prune(bases: dict[int, Base]) -> None:
    """Keep the latest of each kind, and what they go back to."""
    latest = list(reversed(bases.values()))
    kept = [each for each in latest if not each.continued][:_OPEN]
    kept += [each for each in latest if each.continued][:_CONTINUED]
    anchors = {each.chain.anchor for each in kept}
    numbers = anchors | {each.seq for each in kept}
    for seq in [seq for seq in bases if seq not in numbers]:
        del bases[seq]


def nearest(text: bytes, bases: Iterator[Base], key: Key = hash) -> Base | None:
    """Return the latest base of which a text has at least half as its own beginning, the most of all."""
    view = memoryview(text)
    best, found = len(text) // 2, None
    for base in bases:
        if base.outline.size <= best:
            continue
        shared = base.outline.places[front_of(view, base.outline, key)]
        if shared > best:
            best, found = shared, base
        if shared == len(text):
            break
    return found


def alike(outline: Outline, bases: Iterator[Base]) -> Base | None:
    """Return the latest base that has at least half of a text, wherever it stands there, the most of all."""
    best, found = outline.size // 2, None
    for base in bases:
        known = set(base.outline.keys)
        lengths = zip(outline.keys, outline.places, outline.places[1:], strict=False)
        shared = sum(stop - start for key, start, stop in lengths if key in known)
        if shared > best:
            best, found = shared, base
    return found
