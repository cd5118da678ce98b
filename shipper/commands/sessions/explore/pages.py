"""The pages: values in, HTML documents out. Whatever is shown is foreign, and escaped or sanitised here."""

import json
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup, escape

from groundwork.text import span
from shipper.commands.fetch.document import (
    Json,
    as_text,
    body_of,
    number_in,
    object_in,
    objects_in,
    parse_object,
    text_in,
)
from shipper.commands.sessions.explore import prose
from shipper.commands.sessions.explore.overview import Filters, Listing
from shipper.commands.sessions.explore.sources.hit import CLOSE, OPEN
from shipper.commands.sessions.explore.sources.summary import Spent
from shipper.commands.sessions.explore.thread import PAGE, Thread

_NANOSECONDS = 1_000_000_000
_CENT = 0.01
# More are a picture, not a list.
_MOST_CHUNKS = 1000
_STRIP = 998
# What the proxy masks too; files of others may have them as they were.
_SECRET = ("authorization", "api-key", "token", "cookie", "secret", "password", "signature", "credential")
_OWN_HEADERS = frozenset({"host", "content-length", "accept-encoding", "connection", "transfer-encoding"})


class Side(NamedTuple):
    """A request or a response as it was."""

    side: str
    title: str
    line: str
    headers: dict[str, list[str]]
    text: str
    language: str
    size: int
    chunks: list[tuple[float, int, int, str]]


class Pages:
    """``origin`` says where the sessions come from, ``prices`` which prices they are at."""

    def __init__(self, templates: Mapping[str, str], origin: str, prices: str) -> None:
        self._environment = Environment(
            loader=DictLoader(templates),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals |= {"origin": origin, "prices": prices}
        self._environment.filters |= {
            "line": prose.short,
            "seen": prose.visible,
            "cut": prose.cut,
            "markdown": prose.markdown,
            "code": prose.coloured,
            "image": prose.image,
            "path": lambda text: quote(text, safe=""),
            "count": lambda number: f"{number:,}",
            "cost": _cost,
            "span": span,
            "when": _when,
            "stamp": lambda text: prose.short(text[:19].replace("T", " "), 19),
            "snippet": _snippet,
        }

    def sessions(self, listing: Listing, filters: Filters, version: int, trouble: str = "") -> str:
        """Return the list of sessions."""
        at = {bar.day: number for number, bar in enumerate(listing.bars)}
        return self._render(
            "sessions.html", listing=listing, filters=vars(filters) | {"query": filters.query}, bars_at=at,
            version=version, trouble=trouble,
        )  # fmt: skip

    def session(self, name: str, thread: Thread, page: int, version: int, **known: Any) -> str:
        """Return a page of a session; ``known`` has its ``summary``, ``forks`` and ``pages``."""
        calls = thread.calls[(page - 1) * PAGE : page * PAGE]
        return self._render(
            "session.html", name=name, thread=thread, calls=calls, page=page,
            results=thread.results, version=version, **known,
        )  # fmt: skip

    def call(self, name: str, seq: int, sides: list[Side], version: int) -> str:
        """Return a call as it was."""
        return self._render("call.html", name=name, seq=seq, sides=sides, version=version)

    def search(self, q: str, version: int, **known: Any) -> str:
        """Return what a search has found: ``found``, ``hits``, ``progress``, ``trouble``."""
        return self._render("search.html", q=prose.visible(q), version=version, **known)

    def _render(self, template: str, **values: Any) -> str:
        return self._environment.get_template(template).render(**values)


def _cost(spent: Spent) -> str:
    unknown = f"{spent.unpriced:,} of unknown price" if spent.unpriced else ""
    if spent.unpriced and not spent.cost:
        return "price unknown"
    told = f"${spent.cost:,.2f}" if spent.cost >= _CENT or not spent.cost else f"${spent.cost:.4f}"
    return f"{told}, {unknown}" if unknown else told


def _when(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds // _NANOSECONDS, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _snippet(text: str) -> Markup:
    parts: list[Markup] = []
    for number, part in enumerate(text.split(OPEN)):
        hit, closed, rest = part.partition(CLOSE)
        if number and closed:
            parts.append(Markup("<mark>{}</mark>{}").format(prose.visible(hit), prose.visible(rest)))
        else:
            parts.append(escape(prose.visible(part)))
    return Markup("").join(parts)


def sides_of(records: list[Json]) -> list[Side]:
    """Return the request and the response of a call, as they are on record."""
    return [_side(record) for record in records]


def _side(record: Json) -> Side:
    request = text_in(record, "type") == "request"
    text = as_text(body_of(record))
    document = parse_object(text)
    shown = json.dumps(document, indent=2, ensure_ascii=False) if document is not None else text
    line = (
        f"{text_in(record, 'method')} {address_of(record)}"
        if request
        else f"Status {number_in(record, 'status')}"
    )
    return Side(
        "request" if request else "response",
        "Request" if request else "Response",
        line,
        headers_of(record),
        shown,
        "json" if document is not None else "",
        number_in(record, "size"),
        _chunks(record),
    )


def headers_of(record: Json) -> dict[str, list[str]]:
    """Return a record's headers, secrets masked."""
    headers = object_in(record, "headers")
    return {
        name: [_masked(name, each) for each in values if isinstance(each, str)]
        for name, values in headers.items()
        if isinstance(values, list)
    }


def _masked(name: str, value: str) -> str:
    if any(word in name.lower() for word in _SECRET) and "..." not in value:
        return "..."
    return value


def _chunks(record: Json) -> list[tuple[float, int, int, str]]:
    chunks = objects_in(record, "chunks")
    times = [number_in(each, "delta_ms") for each in chunks]
    first, last = min(times, default=0), max(times, default=0)
    return [
        (_STRIP * (ms - first) / max(1, last - first), ms, len(text_in(each, "raw")), text_in(each, "raw"))
        for each, ms in list(zip(chunks, times, strict=True))[:_MOST_CHUNKS]
    ]


def address_of(record: Json) -> str:
    """Return the URL that a request went to."""
    host = text_in(object_in(record, "_meta"), "host")
    scheme = "http" if host.startswith(("127.", "localhost", "[::1]")) else "https"
    query = text_in(record, "query")
    return f"{scheme}://{host}{text_in(record, 'path')}{f'?{query}' if query else ''}"


def curl_of(record: Json) -> str:
    """Return a request as a command line, its secrets masked."""
    words = ["curl", "-X", text_in(record, "method") or "POST", address_of(record)]
    for name, values in headers_of(record).items():
        if name.lower() not in _OWN_HEADERS:
            for value in values:
                words += ["-H", f"{name}: {value}"]
    body = as_text(body_of(record))
    if body:
        words += ["--data-raw", body]
    return " ".join(map(shlex.quote, words)) + "\n"
