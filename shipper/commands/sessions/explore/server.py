"""The pages over HTTP: one route each, read only."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from shipper.commands.fetch.document import Json, as_text, body_of, number_in, parse_object, text_in
from shipper.commands.fetch.markdown import markdown
from shipper.commands.fetch.rebuild import rebuilt
from shipper.commands.fetch.source.files import FileLines
from shipper.commands.sessions.cost import cost_of
from shipper.commands.sessions.explore import assets
from shipper.commands.sessions.explore.guard import Guard
from shipper.commands.sessions.explore.overview import filters_of, listing
from shipper.commands.sessions.explore.pages import Pages, curl_of, sides_of
from shipper.commands.sessions.explore.sources.folder import turns_of
from shipper.commands.sessions.explore.sources.hit import Found
from shipper.commands.sessions.explore.sources.summary import Summary
from shipper.commands.sessions.explore.thread import Thread, thread_of

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

    def lines(self, session: str) -> "contextlib.AbstractContextManager[FileLines]":
        """Open a session's lines. Raises ``KeyError`` and ``OSError``."""

    def note(self, session: str, lines: FileLines) -> None:
        """Take note of a session's lines, that were read."""

    def search(self, text: str) -> Found:
        """Return where all words stand."""


class Server:
    """The application over a source."""

    def __init__(self, source: Source, pages: Pages) -> None:
        self._source = source
        self._pages = pages
        self._last: tuple[str, int, Thread] | None = None

    def app(self, own: str, token: str) -> Starlette:
        """Return it for uvicorn."""
        routes = [
            Route("/", self._sessions),
            Route("/search", self._search),
            Route("/events", self._events),
            Route("/style.css", _asset("style.css", "text/css")),
            Route("/explore.js", _asset("explore.js", "text/javascript")),
            Route("/session/{name}", self._session),
            Route("/session/{name}/markdown", self._markdown),
            Route("/session/{name}/json", self._json),
            Route("/session/{name}/call/{seq:int}", self._call),
            Route("/session/{name}/call/{seq:int}/{form}", self._part),
        ]
        missing: Any = {KeyError: _missing, OSError: _missing}
        guard = Middleware(Guard, own=own, token=token)
        return Starlette(routes=routes, middleware=[guard], exception_handlers=missing)

    def _sessions(self, request: Request) -> Response:
        self._source.wait(_FIRST_SECONDS)
        filters, version = filters_of(request.query_params), self._source.version
        shown = listing(list(self._source.sessions.values()), filters)
        return HTMLResponse(self._pages.sessions(shown, filters, version, self._source.trouble))

    def _session(self, request: Request) -> Response:
        name, version = request.path_params["name"], self._source.version
        self._source.wait(_FIRST_SECONDS)
        summary = self._source.sessions[name]
        thread = self._thread(name, summary)
        asked = request.query_params
        page = thread.page_of(_number(asked["call"])) if "call" in asked else _number(asked.get("page", "1"))
        forks = [each for each in list(self._source.sessions.values()) if each.parent == name]
        page = min(max(1, page), thread.pages)
        return HTMLResponse(self._pages.session(name, thread, page, version, summary=summary, forks=forks))

    def _thread(self, name: str, summary: Summary) -> Thread:
        """Return a session's calls; the last one that was read is kept, as pages of it follow."""
        kept, offset = self._last, summary.offset
        if kept is not None and kept[:2] == (name, offset):
            return kept[2]
        troubles: list[str] = []
        with self._source.lines(name) as lines:
            thread = thread_of(turns_of(lines, troubles.append))
            self._source.note(name, lines)
        thread.troubles = troubles
        for call in thread.calls:
            if call.answered and call.answered.tokens:
                model = call.answered.model or (call.asked.model if call.asked else "")
                call.cost = cost_of(summary.provider, model, call.answered.tokens, call.answered.time)
        self._last = name, offset, thread
        return thread

    def _markdown(self, request: Request) -> Response:
        with self._source.lines(request.path_params["name"]) as lines:
            text = "\n".join(markdown(turns_of(lines), _WIDTH))
        return PlainTextResponse(text.encode("utf-8", "replace"))

    def _json(self, request: Request) -> Response:
        with self._source.lines(request.path_params["name"]) as lines:
            records = [parse_object(each.line) for each in rebuilt(lines, lines.again)]
        return PlainTextResponse(json.dumps([each for each in records if each is not None], indent=1))

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
        found: list[Json] = []
        mark = f'"seq":{seq},'.encode()
        with self._source.lines(name) as lines:
            for each in rebuilt(lines, lines.again):
                record = parse_object(each.line) if mark in each.line else None
                if record and number_in(record, "seq") == seq:
                    found.append(record)
        if not found:
            raise KeyError(seq)
        return found

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
