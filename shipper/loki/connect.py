"""The HTTP client for Loki, as configured, for pushes and queries."""

from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import httpx

from groundwork.settings.proxies import ProxyVariableError
from groundwork.text import without_credentials
from shipper.config import LokiSettings
from shipper.loki.advice import doubt_about_path
from shipper.loki.wire.body import bound
from shipper.loki.wire.transport import Transport, proxy_to
from shipper.loki.wire.trust import Trust, TrustError

_LAST_PORT = 65535


class UnusableError(Exception):
    """The configuration of Loki cannot be used; the text names key, value and reason."""


def connect(loki: LokiSettings) -> httpx.Client:
    """Return a client with credentials, tenant, trust and the environment's proxy; threads may share it.

    Answers are bounded, and ``loki.timeout`` is the deadline of a whole request. Raises ``UnusableError`` for
    an address, a header, a certificate or a variable of the environment that cannot be used.
    """
    problem = problem_with(loki.url)
    if problem:
        raise UnusableError(problem)
    trust = Trust(loki)
    try:
        proxy = proxy_to(httpx.URL(loki.url))
        if loki.ca_file or loki.cert_file or loki.url.lower().startswith("https"):
            trust.context()
    except (ProxyVariableError, TrustError) as exc:
        raise UnusableError(str(exc)) from exc
    return httpx.Client(
        timeout=loki.timeout,
        headers={**_headers(loki), "Accept-Encoding": "identity"},
        auth=_credentials(loki),
        transport=Transport(proxy, trust),
        trust_env=False,
        follow_redirects=False,
        event_hooks={"response": [bound]},
    )


def _headers(loki: LokiSettings) -> dict[str, str]:
    """Return the headers of each request. Raises ``UnusableError`` for what no header can carry."""
    if not loki.tenant_id.isascii():
        raise UnusableError("loki.tenant_id holds a character that a header cannot carry: use ASCII only")
    for name, value in loki.headers.items():
        if not (name.isascii() and value.isascii()):
            raise UnusableError(
                f"loki.headers.{name} holds a character that a header cannot carry: use ASCII only"
            )
    tenant = {"X-Scope-OrgID": loki.tenant_id} if loki.tenant_id else {}
    return {**tenant, **loki.headers}


class Bearer(httpx.Auth):
    """A bearer token; when one from a file is refused, the file is read again and a new one tried at once."""

    def __init__(self, token: str, token_file: str) -> None:
        self._file = token_file
        self._token = token.strip()
        if token_file:
            self._read()

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the token along."""
        sent = self._token
        self._add(request)
        response = yield request
        if self._file and response.status_code in {401, 403}:
            self._read()
            if self._token != sent:
                self._add(request)
                yield request

    def _add(self, request: httpx.Request) -> None:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"

    def _read(self) -> None:
        """Take the token as the file has it; the last one where it cannot be read."""
        with suppress(OSError, UnicodeDecodeError):
            self._token = Path(self._file).read_text(encoding="utf-8").strip()


def problem_with(url: str) -> str:
    """Return what is wrong with a push address; empty when nothing is."""
    if not url:
        return "loki.url is empty: expected Loki's push endpoint, such as http://loki:3100/loki/api/v1/push"
    shown = without_credentials(url)
    try:
        parts = httpx.URL(url)
        host = parts.host
        host.encode("idna")
    except (httpx.InvalidURL, UnicodeError) as exc:
        # ``idna`` raises errors of its own for names in Punycode, all of them ``UnicodeError``.
        return f"loki.url = {shown!r}: {exc}"
    if parts.scheme not in {"http", "https"} or not host or parts.port == 0:
        return f"loki.url = {shown!r}: expected http:// or https:// and a host"
    if (parts.port or 1) > _LAST_PORT:
        return f"loki.url = {shown!r}: expected a port of 1 to {_LAST_PORT}"
    return ""


def name_of(loki: LokiSettings) -> str:
    """Return what tells one Loki, and one tenant in it, from another, without credentials."""
    url = without_credentials(loki.url)
    return f"{url} (tenant {loki.tenant_id})" if loki.tenant_id else url


def doubts_about(loki: LokiSettings) -> list[str]:
    """Return what looks wrong about the settings before anything was sent; often it is."""
    # Around a token, white space is left out; everywhere else it is sent along.
    values = {
        "auth_token": [loki.auth_token.strip()],
        "tenant_id": [loki.tenant_id],
        "username": [loki.username],
        "password": [loki.password],
        "headers": [*loki.headers.keys(), *loki.headers.values()],
    }
    broken = [name for name, texts in values.items() if not all(each.isprintable() for each in texts)]
    path = doubt_about_path(loki.url, loki.encoding)
    return [path] * bool(path) + [
        f"loki.{name} holds a line break or another control character: write it on one line"
        for name in broken
    ]


def _credentials(loki: LokiSettings) -> httpx.Auth | None:
    if loki.username:
        return httpx.BasicAuth(loki.username, loki.password)
    if loki.auth_token or loki.auth_token_file:
        return Bearer(loki.auth_token, loki.auth_token_file)
    return None
