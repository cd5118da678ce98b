"""The words of all sessions, to be searched: an SQLite database that is made from the files.

It can be deleted at any time. One thread writes; readers have connections of their own. Where anything in it
is odd, it is made anew.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from shipper.commands.fetch.conversation import Answered, Asked, Turn
from shipper.commands.sessions.explore.sources.hit import CLOSE, MOST_HITS, OPEN, Found, Hit, query_of
from shipper.commands.sessions.explore.sources.summary import Summary

# Part of the name: another layout is another file, and the old one is removed.
_VERSION = 2
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, inode INTEGER, size INTEGER, turns INTEGER, summary BLOB
);
CREATE VIRTUAL TABLE IF NOT EXISTS said USING fts5(
    text, session UNINDEXED, seq UNINDEXED, kind UNINDEXED,
    tokenize = 'unicode61 remove_diacritics 2', prefix = '3'
);
"""
_MOST_COUNTED = 1000
# A tool's result may be a whole file; words behind this are not found.
_MOST_TEXT = 256 << 10


class Index:
    """The index in a folder; in memory where the folder cannot be written."""

    def __init__(self, folder: Path) -> None:
        self._path = self._place(folder)
        self._lock = threading.Lock()
        self._write = self._open()
        self._offsets: dict[str, tuple[int, int]] = {}
        self._summaries: dict[str, tuple[int, int, bytes]] = {}
        try:
            self._load()
        except sqlite3.DatabaseError:
            self._anew()

    def _place(self, folder: Path) -> str:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in folder.glob("explore-*.sqlite*"):
                if not old.name.startswith(f"explore-{_VERSION}.sqlite"):
                    old.unlink()
            probe = folder / ".explore-probe"
            probe.touch()
            probe.unlink()
        except OSError:
            return ""
        return str(folder / f"explore-{_VERSION}.sqlite")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path or ":memory:", check_same_thread=False)

    def _open(self) -> sqlite3.Connection:
        try:
            connection = self._connect()
            connection.executescript(_SCHEMA)
        except sqlite3.DatabaseError:
            self._remove()
            connection = self._connect()
            connection.executescript(_SCHEMA)
        return connection

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(OSError):
                Path(self._path + end).unlink()

    def _anew(self) -> None:
        self._write.close()
        self._remove()
        self._write = self._open()
        self._offsets.clear()
        self._summaries.clear()

    def _load(self) -> None:
        for path, inode, size, summary in self._write.execute("SELECT path, inode, size, summary FROM files"):
            self._offsets[path] = inode, size
            self._summaries[path] = inode, size, summary

    def summary(self, path: str, inode: int, size: int) -> Summary | None:
        """Return the summary of a file as it was when it was indexed, once; None where it is another file."""
        known = self._summaries.pop(path, None)
        if known is None or known[0] != inode or known[1] > size:
            return None
        try:
            return msgspec.msgpack.decode(known[2], type=Summary)
        except msgspec.DecodeError:
            return None

    def offset(self, path: str, inode: int) -> int:
        """Return the size of a file when it was last indexed; -1 where it was not."""
        known = self._offsets.get(path)
        return known[1] if known is not None and known[0] == inode else -1

    def take(self, summary: Summary, inode: int, size: int, turns: Iterable[tuple[int, Turn]]) -> None:
        """Take turns of a session, numbered from 0, of which the first may be in the index already."""
        try:
            self._take(summary, inode, size, turns)
        except sqlite3.DatabaseError:
            with self._lock:
                self._anew()

    def _take(self, summary: Summary, inode: int, size: int, turns: Iterable[tuple[int, Turn]]) -> None:
        path, write = summary.path, self._write
        known = write.execute("SELECT inode, size, turns FROM files WHERE path = ?", (path,)).fetchone()
        same = known is not None and known[0] == inode and known[1] <= size
        if known is not None and not same:
            write.execute("DELETE FROM said WHERE session = ?", (summary.session,))
        done = known[2] if same else 0
        count = done
        rows: list[tuple[str, str, int, str]] = []
        for number, turn in turns:
            if number >= done:
                rows += _rows(summary.session, turn)
                count = number + 1
        with self._lock:
            write.executemany("INSERT INTO said (text, session, seq, kind) VALUES (?, ?, ?, ?)", rows)
            write.execute(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)",
                (path, inode, size, count, msgspec.msgpack.encode(summary)),
            )
        self._offsets[path] = inode, size

    def commit(self) -> None:
        """Let readers see what was taken; often, it costs the most of the time."""
        try:
            with self._lock:
                self._write.commit()
        except sqlite3.DatabaseError:
            with self._lock:
                self._anew()

    def search(self, text: str) -> Found:
        """Return where all words stand: ``"a phrase"``, ``prefix*``; the last word is a prefix by itself."""
        query = query_of(text)
        if not query:
            return Found([], 0)
        try:
            with self._reader() as reader:
                rows = reader.execute(
                    "SELECT session, seq, kind, snippet(said, 0, ?, ?, '…', 24) FROM said"
                    " WHERE said MATCH ? LIMIT ?",
                    (OPEN, CLOSE, query, MOST_HITS),
                ).fetchall()
                count = reader.execute(
                    "SELECT count(*) FROM (SELECT 1 FROM said WHERE said MATCH ? LIMIT ?)",
                    (query, _MOST_COUNTED),
                ).fetchone()[0]
        except sqlite3.DatabaseError:
            return Found([], 0)
        return Found(sorted((Hit(*row) for row in rows), key=lambda hit: hit.session, reverse=True), count)

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite3.Connection]:
        if not self._path:
            with self._lock:
                yield self._write
            return
        with contextlib.closing(self._connect()) as connection:
            yield connection


def _rows(session: str, turn: Turn) -> Iterator[tuple[str, str, int, str]]:
    match turn:
        case Asked():
            for message in turn.messages:
                for block in message.blocks:
                    kind = f"{message.role}" if block.kind == "text" else block.kind.value
                    yield _row(block.name, block.text, session, turn.seq, kind)
        case Answered():
            for block in turn.blocks:
                kind = "reply" if block.kind == "text" else block.kind.value
                yield _row(block.name, block.text, session, turn.seq, kind)
            if turn.error:
                yield _row("", turn.error, session, turn.seq, "error")
        case _:
            return


def _row(name: str, text: str, session: str, seq: int, kind: str) -> tuple[str, str, int, str]:
    told = f"{name} {text}" if name else text
    return told[:_MOST_TEXT].encode("utf-8", "replace").decode(), session, seq, kind
