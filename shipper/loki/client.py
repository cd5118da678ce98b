"""Loki's edge: one push is one POST."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from shipper.loki.push import Answer, Silence

# Loki names each distinct refusal once, without a bound: enough to read the first ones.
_ANSWER_BYTES = 16 * 1024


class UnusableError(Exception):
    """The configuration of Loki cannot be used; the text names key, value and reason."""


class LokiClient:
    """Pushes to one endpoint; its connections are shared by threads.

    Raises ``UnusableError`` for an address or a certificate that cannot be used.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        headers: dict[str, str],
        auth: tuple[str, str] | None = None,
        token: str = "",
        token_file: str = "",
        ca_file: str = "",
        certificate: tuple[str, str] | None = None,
    ) -> None:
        problem = problem_with(url)
        if problem:
            raise UnusableError(problem)
        self._url = url
        self._token = token.strip()
        self._token_file = token_file
        self._client = httpx.Client(
            timeout=timeout,
            headers=headers,
            auth=auth,
            verify=_trust(ca_file, certificate),
            follow_redirects=False,
        )
        if token_file:
            self._read_token()

    def push(self, headers: dict[str, str], body: bytes) -> Answer:
        """Send one body and return what came back; never raises."""
        if self._token:
            headers = {**headers, "Authorization": f"Bearer {self._token}"}
        try:
            with self._client.stream("POST", self._url, headers=headers, content=body) as response:
                answer = _answer_of(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.PoolTimeout) as exc:
            return Answer(silence=Silence.UNREACHABLE, text=_reason(exc))
        except httpx.TimeoutException as exc:
            return Answer(silence=Silence.TIMEOUT, text=_reason(exc))
        except httpx.HTTPError as exc:
            return Answer(silence=Silence.BROKEN, text=_reason(exc))
        if self._token_file and answer.status in {401, 403}:
            self._read_token()
        return answer

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _read_token(self) -> None:
        """Take the token as the file has it now: it may have been renewed there."""
        try:
            self._token = Path(self._token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self._token = ""


def problem_with(url: str) -> str:
    """Return what is wrong with a push address; empty when nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        return f"loki.url = {url!r}: {exc}"
    if not url:
        return (
            "loki.url is empty: it has to be Loki's push endpoint, such as http://loki:3100/loki/api/v1/push"
        )
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        return f"loki.url = {without_credentials(url)!r}: expected http:// or https:// and a host"
    return ""


def without_credentials(url: str) -> str:
    """Return the address without user, password and query, fit for a log."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _trust(ca_file: str, certificate: tuple[str, str] | None) -> ssl.SSLContext | bool:
    if not ca_file and certificate is None:
        return True
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
        if certificate is not None:
            context.load_cert_chain(certificate[0], certificate[1] or None)
    except (OSError, ssl.SSLError) as exc:
        raise UnusableError(f"loki.ca_file, loki.cert_file or loki.key_file cannot be used: {exc}") from exc
    return context


def _answer_of(response: httpx.Response) -> Answer:
    text = b"".join(_beginning(response)).decode("utf-8", "replace")
    return Answer(response.status_code, text, retry_after=_seconds(response.headers.get("Retry-After", "")))


def _beginning(response: httpx.Response) -> Iterator[bytes]:
    taken = 0
    for piece in response.iter_bytes():
        yield piece[: _ANSWER_BYTES - taken]
        taken += len(piece)
        if taken >= _ANSWER_BYTES:
            return


def _seconds(text: str) -> float:
    """Read a Retry-After of seconds; one that is a date is not waited for."""
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _reason(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
