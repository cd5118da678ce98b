"""The sessions that Loki has, asked for again and again by a thread."""

import contextlib
import re
import threading
import time
from collections.abc import Iterable, Iterator

from shipper.commands.fetch.source.files import FileLines, kept
from shipper.commands.fetch.source.session import lines_of, pieces_of
from shipper.commands.sessions import summary as listed
from shipper.commands.sessions.explore.sources.hit import (
    CLOSE,
    MOST_HITS,
    OPEN,
    Found,
    Hit,
    words_of,
)
from shipper.commands.sessions.explore.sources.summary import Spent, Summary, add_line, begun, copied, day_of
from shipper.config import LokiSettings
from shipper.loki.logql import quoted
from shipper.loki.query.patient import asking
from shipper.loki.query.query import Ask, AskAgainError, CannotAskError, Query, Row, TooMuchError
from shipper.record.timestamp import session_time

_NANOSECONDS = 1_000_000_000
_DAY_NS = 24 * 3600 * _NANOSECONDS
# Entries may be stamped as far ahead as Loki takes them (``creation_grace_period``), and clocks differ.
_AHEAD_NS = 3600 * _NANOSECONDS
# What is older than this is asked for once.
_OPEN_NS = 3600 * _NANOSECONDS
_LOOK_SECONDS = 1.0
# After a failure; Loki may be starting or limiting.
_AWAY_SECONDS = 5.0
# A search in Loki reads every line of the time it is over.
_SEARCH_NS = _DAY_NS
_AROUND = 80
_SEQ = re.compile(r'"seq":(\d{1,9})')


class LokiSessions:
    """The sessions of the last ``since`` seconds; ``trouble`` says why Loki does not answer."""

    def __init__(self, loki: LokiSettings, since: float) -> None:
        self._loki = loki
        self._since = int(since * _NANOSECONDS)
        self.sessions: dict[str, Summary] = {}
        self.version = 0
        self.progress = 1.0
        self.trouble = ""
        self._read: dict[str, Summary] = {}
        """Summaries out of whole sessions that were opened: they know the client and the first words."""
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="explore-loki")

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """End; a query that runs is not waited for."""
        self._stopping.set()

    def wait(self, seconds: float) -> None:
        """Wait until Loki has answered once, so long at most."""
        self._ready.wait(seconds)

    def ahead(self) -> contextlib.AbstractContextManager[None]:
        """Nothing is in the way of a page."""
        return contextlib.nullcontext()

    def edition(self, session: str) -> object:
        """Return what stays equal while nothing new is known of a session: its lines are fetched whole."""
        known = self.sessions[session]
        return known.requests, known.responses, known.last

    @contextlib.contextmanager
    def lines(self, session: str) -> Iterator[FileLines]:
        """Fetch a session's lines. Raises ``KeyError`` and ``OSError``."""
        now = time.time_ns()
        start = (session_time(session) or now - self._since) - _DAY_NS
        try:
            with asking(self._loki) as ask:
                pieces = pieces_of(ask, session, start, now)
                if not pieces:
                    raise KeyError(session)
                read = begun(session, "")
                found = (each.line for each in lines_of(ask, session, pieces) if each.line is not None)
                with kept(_summarised(found, read)) as lines:
                    self._read[session] = read
                    yield lines
        except (AskAgainError, CannotAskError) as exc:
            raise OSError(str(exc)) from exc

    def search(self, text: str) -> Found:
        """Return the lines of the last day in which all words stand, capitals or not."""
        words = words_of(text)
        if not words:
            return Found([], 0)
        filters = "".join(f" |~ {quoted(f'(?i){re.escape(each)}')}" for each in words)
        query = f'{{app="llm-proxy", log_type=~"request|response"}}{filters}'
        now = time.time_ns()
        try:
            with asking(self._loki) as ask:
                rows = ask(Query(query, now - _SEARCH_NS, now + _AHEAD_NS, MOST_HITS))
        except (AskAgainError, CannotAskError, TooMuchError) as exc:
            self.trouble = str(exc)
            return Found([], 0)
        hits = [_hit(row, words[0]) for row in reversed(rows)]
        return Found(hits, len(hits))

    def _follow(self) -> None:
        opened = time.time_ns() - self._since
        closed: dict[str, Summary] = {}
        while not self._stopping.is_set():
            try:
                with asking(self._loki) as ask:
                    opened = self._ask(ask, closed, opened)
                self.trouble = ""
            except (AskAgainError, CannotAskError) as exc:
                self.version += self.trouble != str(exc)
                self.trouble = str(exc)
            self._ready.set()
            self._stopping.wait(_AWAY_SECONDS if self.trouble else _LOOK_SECONDS)

    def _ask(self, ask: Ask, closed: dict[str, Summary], opened: int) -> int:
        """Ask for what is new, and return from when on it is asked for again."""
        until = time.time_ns() - _OPEN_NS
        if until - opened > _OPEN_NS:
            _add_all(closed, listed.summaries(ask, opened, until))
            opened = until
        found = {name: copied(each) for name, each in closed.items()}
        _add_all(found, listed.summaries(ask, opened, time.time_ns() + _AHEAD_NS))
        for name, each in found.items():
            if read := self._read.get(name):
                each.words, each.client, each.agents = read.words, read.client, read.agents
                each.parent, each.from_seq = read.parent, read.from_seq
        if found != self.sessions:
            self.sessions = found
            self.version += 1
        return opened


def _summarised(lines: Iterable[bytes], summary: Summary) -> Iterator[bytes]:
    """Pass lines on, and take what only they tell into a summary: first words, client, parent, subagents."""
    for line in lines:
        add_line(summary, line)
        yield line


def _add_all(found: dict[str, Summary], sessions: list[listed.Summary]) -> None:
    for each in sessions:
        known = found.setdefault(each.session, Summary(each.session, first=each.first))
        _add(known, each)


def _add(known: Summary, more: listed.Summary) -> None:
    known.provider, known.machine = more.provider or known.provider, more.machine or known.machine
    known.host = known.host or known.provider
    known.first, known.last = min(known.first, more.first), max(known.last, more.last)
    known.requests += more.requests
    known.responses += more.responses
    for counts, added in ((known.models, more.models), (known.tools, more.tools)):
        for name, count in added.items():
            counts[name] = counts.get(name, 0) + count
    # Loki's answers are by session; the model that was used most stands for all.
    model = next((name for name, _ in more.models.most_common(1)), "")
    spent = known.spent.setdefault(f"{day_of(more.last)} {model}", Spent())
    spent.calls += more.responses
    spent.errors += more.errors
    spent.fresh += more.tokens["input_tokens"]
    spent.cached += more.tokens["cache_read_input_tokens"]
    spent.written += more.tokens["cache_creation_input_tokens"]
    spent.out += more.tokens["output_tokens"]
    spent.cost += more.cost
    spent.unpriced += more.unpriced


def _hit(row: Row, word: str) -> Hit:
    at = max(0, row.line.lower().find(word.lower()))
    end = at + len(word)
    before, after = row.line[max(0, at - _AROUND) : at], row.line[end : end + _AROUND]
    seq = _SEQ.search(row.line)
    return Hit(
        row.fields.get("session", ""),
        int(seq[1]) if seq else 0,
        row.fields.get("log_type", ""),
        f"…{before}{OPEN}{row.line[at:end]}{CLOSE}{after}…",
    )
