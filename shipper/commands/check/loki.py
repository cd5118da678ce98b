"""The way to Loki, step by step, as ``run`` would go it; one test entry is pushed and read back."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
import orjson

from groundwork.text import without_credentials
from shipper.commands.check.deadline import within
from shipper.commands.check.finding import Finding, cross, good, skipped, warning
from shipper.commands.check.limits import assumed_limits, on_clock, on_limits, read_limits
from shipper.commands.check.sample import sample_push
from shipper.config import LokiSettings, ShipperSettings
from shipper.loki.advice import advice_on, is_old_path
from shipper.loki.connect import UnusableError, connect, doubts_about
from shipper.loki.logql import selector
from shipper.loki.push.answers import Meaning, concerns_metadata, meaning_of
from shipper.loki.push.client import LokiClient, silence_of
from shipper.loki.push.push import Answer, Metadata, Push, Silence
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import AskAgainError, CannotAskError, Query, TooMuchError
from shipper.loki.wire.address import beside
from shipper.loki.wire.transport import PROXY_WORDS, proxy_to
from shipper.loki.wiring import encoding_of

# Somebody waits: what takes longer than this is in trouble, whatever ``loki.timeout`` allows a push.
_PROBE_SECONDS = 4.0
# What a socket's own timeouts do not end, such as an answer that trickles.
_END_SECONDS = 2 * _PROBE_SECONDS
# Loki shows an entry as soon as it has acknowledged it; a cluster may take a moment.
_READ_TRIES = 6
_READ_PAUSE = 0.5
_AROUND_NS = 60_000_000_000
_SHOWN_CHARACTERS = 200
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Labels that every stream has. Loki adds service_name, and does not count it; late lines have one more.
_BUILT_IN = ("app", "provider", "environment", "machine", "log_type")
# Statuses that another program than Loki may give.
_FOREIGN = frozenset({301, 302, 303, 307, 308, 401, 403, 404, 405})
# Statuses of a proxy that does not reach Loki.
_OF_PROXIES = frozenset({502, 503, 504})
_STEPS = ("network", "name", "connection", "answer", "clock", "limits", "push", "query")


T = TypeVar("T")


class _EndedError(Exception):
    """No later step has a meaning after this finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer with its Date header, and the wall clock in the middle of the exchange."""

    answer: Answer
    date: str
    at: float


def examine_loki(settings: ShipperSettings, machine: str, name: str) -> Iterator[Finding]:
    """Yield what was found on the way, each as soon as it is known; ``name`` marks the test entry."""
    loki = settings.loki
    if not loki.enabled:
        yield warning(
            "enabled", "loki.enabled is false: nothing is sent", "Set loki.enabled = true and loki.url."
        )
        yield skipped("the rest", "the way to Loki, as nothing is to be sent")
        return
    seen: set[str] = set()
    try:
        for each in _findings(settings, machine, name):
            seen.add(each.subject)
            yield each
    except _EndedError as exc:
        yield exc.finding
        seen.add(exc.finding.subject)
        later = [step for step in _STEPS[_place(exc.finding.subject) + 1 :] if step not in seen]
        if later:
            yield skipped("the rest", f"{', '.join(later)}, as the way ends before")


def _place(subject: str) -> int:
    return _STEPS.index(subject) if subject in _STEPS else 0


def _findings(settings: ShipperSettings, machine: str, name: str) -> Iterator[Finding]:
    loki = settings.loki
    try:
        http = connect(loki)
    except UnusableError as exc:
        raise _EndedError(cross("loki.url", str(exc), misconfigured=True)) from exc
    with http:
        http.timeout = httpx.Timeout(min(loki.timeout, _PROBE_SECONDS))
        yield from _on_settings(loki)
        yield from _on_network(loki.url)
        reply = _get(http, loki, "/config")
        yield _on_answer(reply.answer, loki)
        yield on_clock(reply.date, reply.at)
        yield from _on_limits(reply.answer, settings)
        push = sample_push(
            name,
            machine=machine,
            environment=loki.environment,
            labels=loki.labels,
            timestamp=time.time_ns(),
        )
        yield from _on_push(http, loki, push)
        yield _on_query(http, loki, push, name)


def _on_settings(loki: LokiSettings) -> Iterator[Finding]:
    doubts = doubts_about(loki)
    if is_old_path(loki.url) and loki.encoding == "json":
        raise _EndedError(cross("loki.url", without_credentials(loki.url), f"{' '.join(doubts)}."))
    yield (warning if doubts else good)("loki.url", without_credentials(loki.url))
    for doubt in doubts:
        yield warning("settings", doubt)
    if loki.auth_token_file:
        yield _on_token_file(loki.auth_token_file)


def _on_token_file(path: str) -> Finding:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is no text"
        return cross("token", f"loki.auth_token_file = {path!r}: {reason}", "Let this user read that file.")
    if not text:
        return cross("token", f"loki.auth_token_file = {path!r} is empty", "Write the token into it.")
    if not text.isprintable():
        return cross("token", f"{path!r} holds more than one line", "Leave nothing in it but the token.")
    return good("token", f"{path} can be read")


def _on_network(url: str) -> Iterator[Finding]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    between = proxy_to(httpx.URL(url))
    if between is not None:
        _reached(
            "network",
            url,
            lambda: socket.create_connection((between.host, between.port), _PROBE_SECONDS).close(),
            between.url,
        )
        yield good("network", f"through the proxy {between.url} of the environment, which takes connections")
        return
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    addresses = _reached("name", url, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    numbers = list(dict.fromkeys(str(each[4][0]) for each in addresses))
    if numbers != [host]:
        yield good("name", f"{host} is {', '.join(numbers[:4])}")
    _reached("connection", url, lambda: socket.create_connection((host, port), _PROBE_SECONDS).close())
    yield good("connection", f"{host}:{port} takes connections")


def _reached(subject: str, url: str, probe: Callable[[], T], proxy: str = "") -> T:
    try:
        return within(_END_SECONDS, probe)
    except OSError as exc:
        text = f"{PROXY_WORDS}{proxy}: {exc}" if proxy else str(exc)
        answer = Answer(silence=Silence.UNREACHABLE, text=text)
        raise _EndedError(cross(subject, exc.strerror or str(exc), advice_on(answer, url))) from exc


def _get(http: httpx.Client, loki: LokiSettings, path: str) -> _Reply:
    """GET a path beside the push endpoint."""
    started = time.time()
    try:
        response = within(_END_SECONDS, lambda: http.get(beside(loki.url, path)))
    except TimeoutError as exc:
        return _Reply(Answer(silence=Silence.TIMEOUT, text=str(exc)), "", started)
    except (httpx.HTTPError, ValueError) as exc:
        return _Reply(silence_of(exc), "", started)
    middle = (started + time.time()) / 2
    proxy = response.extensions.get("proxy", "")
    answer = Answer(response.status_code, response.text, proxy=proxy)
    return _Reply(answer, response.headers.get("Date", ""), middle)


def _on_answer(answer: Answer, loki: LokiSettings) -> Finding:
    scheme = urlsplit(loki.url).scheme
    advice = advice_on(answer, loki.url)
    proxys = answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED or (
        answer.proxy and answer.status in _OF_PROXIES
    )
    if answer.silence or proxys or (answer.status == HTTPStatus.BAD_REQUEST and advice):
        raise _EndedError(cross("answer", _shown(answer), advice))
    trusted = ", and its certificate is trusted" if scheme == "https" else ""
    return good("answer", f"answers in {scheme.upper()}{trusted}")


def _on_limits(answer: Answer, settings: ShipperSettings) -> Iterator[Finding]:
    limits = read_limits(answer.text) if answer.status == HTTPStatus.OK else None
    if limits is None:
        yield assumed_limits(f"/config answers {answer.status}")
        return
    labels = len(settings.loki.labels) + len(_BUILT_IN)
    yield from on_limits(limits, settings.shipper.max_line_bytes, labels)


def _on_push(http: httpx.Client, loki: LokiSettings, push: Push) -> Iterator[Finding]:
    answer = _pushed(http, loki, push)
    if meaning_of(answer) is Meaning.REFUSED and concerns_metadata(answer):
        yield warning("metadata", _shown(answer), _LESS_METADATA)
        answer = _pushed(http, loki, replace(push, metadata=Metadata.PLACE))
    if concerns_metadata(answer):
        yield warning(
            "metadata",
            "Loki takes no structured metadata: lines go without it",
            "Set allow_structured_metadata in Loki's limits (schema v13): fetch and sessions need it.",
        )
        answer = _pushed(http, loki, replace(push, metadata=Metadata.NONE))
    match meaning_of(answer):
        case Meaning.DELIVERED:
            yield good("push", "Loki has taken a test entry")
        case Meaning.TENANT_LIMIT | Meaning.STREAM_LIMIT | Meaning.STREAM_COUNT:
            yield warning("push", _shown(answer), advice_on(answer, loki.url))
            raise _EndedError(skipped("query", "nothing was pushed"))
        case _:
            advice = _advice_on_grafana(http, loki, answer) or advice_on(answer, loki.url)
            raise _EndedError(cross("push", _shown(answer), advice))


def _pushed(http: httpx.Client, loki: LokiSettings, push: Push) -> Answer:
    headers, body = encoding_of(loki)(push)
    client = LokiClient(http, loki.url)
    try:
        return within(_END_SECONDS, lambda: client.push(headers, body))
    except TimeoutError as exc:
        return Answer(silence=Silence.TIMEOUT, text=str(exc))


def _advice_on_grafana(http: httpx.Client, loki: LokiSettings, answer: Answer) -> str:
    """Tell where Grafana answers instead of Loki, which looks alike to who copies the address."""
    if answer.status not in _FOREIGN:
        return ""
    told = _get(http, loki, "/api/health").answer.text
    try:
        health = orjson.loads(told)
    except orjson.JSONDecodeError:
        return ""
    if not (isinstance(health, dict) and "database" in health):
        return ""
    return "This is Grafana, not Loki: loki.url has to name Loki itself, whose port is 3100 by default."


def _on_query(http: httpx.Client, loki: LokiSettings, push: Push, name: str) -> Finding:
    moment = push.entries[0].timestamp
    query = f'{selector(push.stream)} |= "{name}"'
    asked = Query(query, moment - _AROUND_NS, moment + _AROUND_NS, 1)
    ask = LokiReader(http, loki.url).ask
    for turn in range(_READ_TRIES):
        if turn:
            time.sleep(_READ_PAUSE)
        try:
            if within(_END_SECONDS, lambda: ask(asked)):
                return good("query", "the test entry was read back")
        except CannotAskError as exc:
            return _unreadable(str(exc))
        except (AskAgainError, TooMuchError, TimeoutError) as exc:
            return warning("query", f"no answer: {str(exc)[:_SHOWN_CHARACTERS]}", _WITHOUT_READING)
    return warning(
        "query",
        "Loki acknowledged the test entry and does not show it",
        "Look at Loki's log, and at loki_discarded_samples_total in its metrics.",
    )


_LESS_METADATA = (
    "Lines go with less metadata, so that the dashboard and sessions show less: raise "
    "max_structured_metadata_size and max_structured_metadata_entries_count in Loki's limits."
)
_WITHOUT_READING = "Lines are delivered all the same; fetch and sessions need a Loki that can be asked."


def _unreadable(reason: str) -> Finding:
    return warning(
        "query",
        f"the credentials may push and not read: {reason[:_SHOWN_CHARACTERS]}",
        "Lines are delivered all the same; after a crash some may arrive twice, and fetch cannot work.",
    )


def _shown(answer: Answer) -> str:
    text = " ".join(answer.text.split())[:_SHOWN_CHARACTERS]
    return f"{answer.silence or answer.status}: {text}" if text else str(answer.silence or answer.status)
