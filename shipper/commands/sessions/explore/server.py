"""The pages over HTTP: one route each, read only."""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http import HTTPStatus
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shipper.commands.fetch.document import Json, as_text, body_of, number_in, parse_object, text_in
from shipper.commands.fetch.markdown import markdown
from shipper.commands.fetch.rebuild import Bodies, rebuilt
from shipper.commands.fetch.source.files import FileLines
from shipper.commands.sessions.explore import assets
from shipper.commands.sessions.explore.guard import Guard
from shipper.commands.sessions.explore.overview import filters_of, listing
from shipper.commands.sessions.explore.pages import Pages, curl_of, sides_of
from shipper.commands.sessions.explore.sources.hit import Found
from shipper.commands.sessions.explore.sources.reading import Reading
from shipper.commands.sessions.explore.sources.summary import Summary
from shipper.commands.sessions.explore.thread import PAGE, Thread

# A change shows within two seconds: the thread looks twice a second, and so does this.
_LOOK_SECONDS = 0.5
# The first page does not wait longer for its sessions.
_FIRST_SECONDS = 0.6
_WIDTH = 100


class Source(Protocol):
    """Where the sessions come from. ``version`` grows with every change, ``progress`` to 1."""

    version: int
    progress: float
    trouble: str
    sessions: dict[str, Summary]

    def start(self) -> None:
        """Begin to follow."""

    def stop(self) -> None:
        """End."""

    def wait(self, seconds: float) -> None:
        """Wait until there is something to show."""

    def ahead(self) -> contextlib.AbstractContextManager[None]:
        """Let a page go before what else is done, while it is made."""

    def edition(self, session: str) -> object:
        """Return what stays equal while the lines of ``lines`` only grow. Raises ``KeyError``."""

    def lines(self, session: str) -> "contextlib.AbstractContextManager[FileLines]":
        """Open a session's lines. Raises ``KeyError`` and ``OSError``."""

    def search(self, text: str) -> Found:
        """Return where all words stand."""


class Server:
    """The application over a source."""

    def __init__(self, source: Source, pages: Pages) -> None:
        self._source = source
        self._pages = pages
        self._lock = threading.Lock()
        self._open: tuple[tuple[str, object], Thread] | None = None
        self._closing = contextlib.ExitStack()

    def app(self, own: str, token: str) -> Starlette:
        """Return it for uvicorn."""
        routes = [
            Route("/", self._ahead(self._sessions)),
            Route("/search", self._ahead(self._search)),
            Route("/events", self._events),
            Route("/style.css", _asset("style.css", "text/css")),
            Route("/explore.js", _asset("explore.js", "text/javascript")),
            Route("/session/{name}", self._ahead(self._session)),
            Route("/session/{name}/markdown", self._markdown),
            Route("/session/{name}/json", self._json),
            Route("/session/{name}/call/{seq:int}", self._ahead(self._call)),
            Route("/session/{name}/call/{seq:int}/{form}", self._part),
        ]
        missing: Any = {KeyError: _missing, OSError: _missing}
        guard = Middleware(Guard, own=own, token=token)
        return Starlette(routes=routes, middleware=[guard], exception_handlers=missing)

    def _ahead(self, page: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            with self._source.ahead():
                return page(request)

        return answer

    def _sessions(self, request: Request) -> Response:
        self._source.wait(_FIRST_SECONDS)
        filters, version = filters_of(request.query_params), self._source.version
        shown = listing(list(self._source.sessions.values()), filters)
        return HTMLResponse(self._pages.sessions(shown, filters, version, self._source.trouble))

    def _session(self, request: Request) -> Response:
        name, version = request.path_params["name"], self._source.version
        self._source.wait(_FIRST_SECONDS)
        summary = self._source.sessions[name]
        asked = request.query_params
        forks = [each for each in list(self._source.sessions.values()) if each.parent == name]
        with self._lock:
            thread = self._thread(name, summary)
            pages = max(1, -(-max(summary.calls, len(thread.calls)) // PAGE))
            if "call" in asked:
                page = thread.read_to_call(_number(asked["call"]))
            else:
                page = min(max(1, _number(asked.get("page", "1"))), pages)
                thread.read_to_page(page)
        known = {"summary": self._source.sessions.get(name, summary), "forks": forks, "pages": pages}
        return HTMLResponse(self._pages.session(name, thread, page, version, **known))

    def _thread(self, name: str, summary: Summary) -> Thread:
        """Return a session; the one that was looked at last is kept, and read on."""
        edition = name, self._source.edition(name)
        if self._open is None or self._open[0] != edition:
            self._open = None
            self._closing.close()
            lines = self._closing.enter_context(self._source.lines(name))
            troubles: list[str] = []
            reading = Reading(lines, troubles.append)
            self._open = edition, Thread(reading.turns, summary.provider, troubles=troubles)
        return self._open[1]

    def _markdown(self, request: Request) -> Response:
        def text() -> Iterator[bytes]:
            with self._source.lines(name) as lines:
                turns = (turn for _, turn in Reading(lines).turns())
                yield from (f"{line}\n".encode("utf-8", "replace") for line in markdown(turns, _WIDTH))

        name = self._known(request)
        return StreamingResponse(text(), media_type="text/plain")

    def _json(self, request: Request) -> Response:
        """Answer all records with whole bodies, one after the other: together they may be gigabytes."""

        def text() -> Iterator[bytes]:
            begin = b"["
            with self._source.lines(name) as lines:
                for each in rebuilt(lines, lines.again):
                    if parse_object(each.line) is not None:
                        yield begin + each.line
                        begin = b",\n"
            yield b"]\n" if begin != b"[" else b"[]\n"

        name = self._known(request)
        return StreamingResponse(text(), media_type="text/plain")

    def _known(self, request: Request) -> str:
        """Return the session that is asked for. Raises ``KeyError`` and ``OSError``."""
        name: str = request.path_params["name"]
        with self._source.lines(name):
            return name

    def _call(self, request: Request) -> Response:
        name, seq = request.path_params["name"], request.path_params["seq"]
        records = self._records(name, seq)
        return HTMLResponse(self._pages.call(name, seq, sides_of(records), self._source.version))

    def _part(self, request: Request) -> Response:
        """Answer one call's request, response, both as JSON, or its command line."""
        records = self._records(request.path_params["name"], request.path_params["seq"])
        form = request.path_params["form"]
        if form == "json":
            return PlainTextResponse(json.dumps(records, indent=1))
        record = next(each for each in records if text_in(each, "type") in {form, "request"})
        if form == "curl":
            return PlainTextResponse(curl_of(record).encode("utf-8", "replace"))
        chosen = [each for each in records if text_in(each, "type") == form]
        body = as_text(body_of(chosen[0])) if chosen else ""
        return PlainTextResponse(body.encode("utf-8", "replace"))

    def _records(self, name: str, seq: int) -> list[Json]:
        """Return a call's request and response, bodies rebuilt. Raises ``KeyError`` where there is none."""
        found: list[Json | None] = []
        mark = f'"seq":{seq},'.encode()
        with self._source.lines(name) as lines:
            bodies = Bodies(lines.again)
            for number, line in enumerate(lines):
                if bodies.pass_by(number, line) == seq:
                    found.append(parse_object(bodies.take(number, line).whole))
                elif mark in line and text_in(record := parse_object(line) or {}, "type") == "response":
                    found.append(record if number_in(record, "seq") == seq else None)
        records = [each for each in found if each is not None]
        if not records:
            raise KeyError(seq)
        return records

    def _search(self, request: Request) -> Response:
        text = request.query_params.get("q", "")
        version, source = self._source.version, self._source
        found = source.search(text)
        hits = [(hit, *_told(source.sessions.get(hit.session))) for hit in found.hits]
        page = self._pages.search(
            text, version, found=found, hits=hits, progress=source.progress, trouble=source.trouble
        )
        return HTMLResponse(page)

    async def _events(self, _: Request) -> Response:
        return StreamingResponse(self._versions(), media_type="text/event-stream")

    async def _versions(self) -> AsyncIterator[str]:
        told = -1
        while True:
            if self._source.version != told:
                told = self._source.version
                yield f"data: {told}\n\n"
            await asyncio.sleep(_LOOK_SECONDS)


def _told(summary: Summary | None) -> tuple[str, str]:
    return (summary.words, summary.day) if summary else ("", "")


def _asset(name: str, kind: str) -> Callable[[Request], Response]:
    text = assets.text(name)
    return lambda _: Response(text, media_type=kind)


def _missing(_: Request, __: Exception) -> Response:
    return PlainTextResponse("There is no such session or call here.\n", HTTPStatus.NOT_FOUND)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1  # noqa: PLR2004 - fits any call
