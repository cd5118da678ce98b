"""The sessions of a log folder, summarised by a thread that follows the files."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from shipper.commands.fetch.conversation import Turn
from shipper.commands.fetch.source.files import FileLines, lines_of_file
from shipper.commands.sessions.explore.sources.hit import Found
from shipper.commands.sessions.explore.sources.index import Index
from shipper.commands.sessions.explore.sources.reading import Reading
from shipper.commands.sessions.explore.sources.summary import Summary, add_line, begun, copied

# A new call has to appear within two seconds.
_LOOK_SECONDS = 0.5
# A page takes some hundredths of a second.
_GIVE_WAY_SECONDS = 0.005
# Each commit costs a merge of the index; hits may be so late while it is built.
_COMMIT_SECONDS = 3.0
# What the first page shows is summarised before it is answered.
_FIRST = 60
# Sessions that grow are read on from where they were; the memory of each holds its latest bodies.
_MOST_OPEN = 4


class _Stat(NamedTuple):
    inode: int
    size: int
    changed: int


class Folder:
    """``sessions`` by name; ``version`` grows with every change; ``start`` begins to follow.

    Where the state folder cannot be written, the index is kept in memory.
    """

    def __init__(self, log_dir: Path, state_dir: Path) -> None:
        self._log_dir = log_dir
        self.index = Index(state_dir)
        self.sessions: dict[str, Summary] = {}
        self.version = 0
        self.progress = 0.0
        """How much of all bytes is in the index."""
        self.trouble = ""
        self._stats: dict[str, _Stat] = {}
        self._editions: dict[str, int] = {}
        self._open: dict[str, tuple[object, Reading, contextlib.ExitStack]] = {}
        self._pages = 0
        self._count = threading.Lock()
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="explore-index")

    def start(self) -> None:
        """Begin to follow the files."""
        self._thread.start()

    def stop(self) -> None:
        """End at the next line."""
        self._stopping.set()
        self._thread.join(5)

    def wait(self, seconds: float) -> None:
        """Wait until the newest sessions are summarised, so long at most."""
        self._ready.wait(seconds)

    def search(self, text: str) -> Found:
        """Return where all words stand, as far as the index goes."""
        return self.index.search(text)

    @contextlib.contextmanager
    def ahead(self) -> Iterator[None]:
        """Let a page go before the index while it is made: both want the interpreter."""
        with self._count:
            self._pages += 1
        try:
            yield
        finally:
            with self._count:
                self._pages -= 1

    def _give_way(self) -> None:
        while self._pages and self._ready.is_set() and not self._stopping.is_set():
            time.sleep(_GIVE_WAY_SECONDS)

    def _behind(self, turns: Iterator[tuple[int, Turn]]) -> Iterator[tuple[int, Turn]]:
        for each in turns:
            self._give_way()
            yield each

    def edition(self, session: str) -> object:
        """Return what stays equal while a session's lines only grow."""
        path = self.sessions[session].path
        stat = self._stats.get(path)
        return stat and stat.inode, self._editions.get(path, 0)

    @contextlib.contextmanager
    def lines(self, session: str) -> Iterator[FileLines]:
        """Open a session's lines. Raises ``KeyError`` and ``OSError``."""
        with lines_of_file(self._log_dir / self.sessions[session].path) as lines:
            yield lines

    def _follow(self) -> None:
        while not self._stopping.is_set():
            # A folder that is being moved or removed: looked at again in a moment.
            with contextlib.suppress(OSError):
                self._look()
                self._index_all()
            self._stopping.wait(_LOOK_SECONDS)

    def _look(self) -> None:
        """Bring the summaries up to date, the newest first."""
        found = dict(_files(self._log_dir))
        for path in self._stats.keys() - found.keys():
            del self._stats[path]
            self.sessions.pop(_name(path), None)
            self.version += 1
        changed = [path for path, stat in found.items() if self._stats.get(path) != stat]
        for path in found.keys() - self._stats.keys():
            self.sessions.setdefault(_name(path), begun(_name(path), path))
        for number, path in enumerate(sorted(changed, key=lambda each: found[each].changed, reverse=True)):
            if self._stopping.is_set():
                return
            self._give_way()
            with contextlib.suppress(OSError):
                self._summarise(path, found[path])
            if number == _FIRST:
                self._ready.set()
        self._ready.set()

    def _summarise(self, path: str, stat: _Stat) -> None:
        before, known = self._stats.get(path), self.sessions[_name(path)]
        if before is None:
            again = self.index.summary(path, stat.inode, stat.size)
        else:
            same = before.inode == stat.inode and stat.size >= known.offset
            again = copied(known) if same else None
            self._editions[path] = self._editions.get(path, 0) + (not same)
        summary = again or begun(_name(path), path)
        with (self._log_dir / path).open("rb") as file:
            file.seek(summary.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                add_line(summary, line)
                summary.offset += len(line)
        self.sessions[summary.session] = summary
        self._stats[path] = stat
        self.version += 1

    def _index_all(self) -> None:
        """Bring the index up to date, and the summaries between files."""
        total = sum(stat.size for stat in self._stats.values())
        behind = [
            path for path, stat in self._stats.items() if self.index.offset(path, stat.inode) < stat.size
        ]
        left = sum(self._stats[path].size for path in behind)
        looked = committed = time.monotonic()
        for path in sorted(behind, key=lambda each: self._stats[each].changed, reverse=True):
            if self._stopping.is_set():
                return
            with contextlib.suppress(OSError):
                self._index(path)
            left -= self._stats[path].size
            self.progress = 1 - left / total if total else 1.0
            if time.monotonic() - looked > _LOOK_SECONDS:
                self._look()
                looked = time.monotonic()
            if time.monotonic() - committed > _COMMIT_SECONDS:
                self.index.commit()
                committed = time.monotonic()
        if behind:
            self.index.commit()
        self.progress = 1.0

    def _index(self, path: str) -> None:
        summary, stat = self.sessions[_name(path)], self._stats[path]
        if self.index.offset(path, stat.inode) < 0:
            with lines_of_file(self._log_dir / path) as lines:
                self.index.take(summary, stat.inode, stat.size, self._behind(Reading(lines).turns()))
        else:
            turns = self._behind(self._growing(summary).turns())
            self.index.take(summary, stat.inode, stat.size, turns)

    def _growing(self, summary: Summary) -> Reading:
        """Return the reading of a session that was read before, kept as it may grow again."""
        path, edition = summary.path, self.edition(summary.session)
        known = self._open.pop(path, None)
        if known is not None and known[0] != edition:
            known[2].close()
            known = None
        if known is None:
            stack = contextlib.ExitStack()
            known = edition, Reading(stack.enter_context(lines_of_file(self._log_dir / path))), stack
        self._open[path] = known
        if len(self._open) > _MOST_OPEN:
            self._open.pop(next(iter(self._open)))[2].close()
        return known[1]


def _files(log_dir: Path) -> Iterator[tuple[str, _Stat]]:
    """Yield the session files, ``<host>/<day>/<session>.jsonl``, with what tells whether they changed."""
    for host in _below(log_dir):
        for day in _below(Path(host.path)):
            for file in _below(Path(day.path)):
                if file.name.endswith(".jsonl") and file.is_file():
                    stat = file.stat()
                    path = f"{host.name}/{day.name}/{file.name}"
                    yield path, _Stat(stat.st_ino, stat.st_size, stat.st_mtime_ns)


def _below(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from [each for each in entries if not each.name.startswith(".")]
    except OSError:
        return


def _name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".jsonl")
