"""The HTTP client for Loki, as configured, for pushes and queries."""

import ssl
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import httpx

from groundwork.text import without_credentials
from shipper.config import LokiSettings
from shipper.loki.advice import doubt_about_path
from shipper.loki.body import bound


class UnusableError(Exception):
    """The configuration of Loki cannot be used; the text names key, value and reason."""


def connect(loki: LokiSettings) -> httpx.Client:
    """Return a client with credentials, tenant and trust; threads may share it. Answers are bounded.

    Raises ``UnusableError`` for an address or a certificate that cannot be used.
    """
    problem = problem_with(loki.url)
    if problem:
        raise UnusableError(problem)
    tenant = {"X-Scope-OrgID": loki.tenant_id} if loki.tenant_id else {}
    return httpx.Client(
        timeout=loki.timeout,
        headers={**tenant, **loki.headers, "Accept-Encoding": "identity"},
        auth=_credentials(loki),
        verify=_trust(loki),
        follow_redirects=False,
        event_hooks={"response": [bound]},
    )


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
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as exc:
        return f"loki.url = {without_credentials(url)!r}: {exc}"
    if parts.scheme not in {"http", "https"} or not parts.host or parts.port == 0:
        return f"loki.url = {without_credentials(url)!r}: expected http:// or https:// and a host"
    return ""


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


def _trust(loki: LokiSettings) -> ssl.SSLContext | bool:
    if not loki.ca_file and not loki.cert_file:
        return True
    try:
        context = ssl.create_default_context(cafile=loki.ca_file or None)
        if loki.cert_file:
            context.load_cert_chain(loki.cert_file, loki.key_file or None)
    except (OSError, ssl.SSLError) as exc:
        raise UnusableError(f"loki.ca_file, loki.cert_file or loki.key_file cannot be used: {exc}") from exc
    return context
