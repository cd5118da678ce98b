"""The edge to Loki's query API."""

from collections.abc import Callable
from typing import TypeVar

import httpx

from groundwork.text import without_credentials
from shipper.loki.query.query import (
    AskAgainError,
    CannotAskError,
    Measurement,
    OverdueError,
    Query,
    Row,
    Sample,
    TooMuchError,
    UnreachableError,
)
from shipper.loki.query.response import rows_of, samples_of
from shipper.loki.wire.address import query_url
from shipper.loki.wire.body import MOST, TooLongError, coding_of

# Loki's own ``query_timeout`` is a minute; past that no answer comes.
LONGEST_ANSWER_SECONDS = 65.0
_HEADERS = {
    # Labels and structured metadata apart, so that a stream comes back as one group.
    "X-Loki-Response-Encoding-Flags": "categorize-labels",
    # An empty answer of a while ago must not stand for now.
    "Cache-Control": "no-store",
}
_REASON_CHARACTERS = 300
_TOO_MANY_REQUESTS = 429
_FIRST_SERVER_ERROR = 500
_ADVICE: dict[int, str] = {
    httpx.codes.UNAUTHORIZED: "; see loki.auth_token, loki.username and loki.tenant_id",
    httpx.codes.FORBIDDEN: "; a token may push and not read: this command needs one that reads",
    httpx.codes.NOT_FOUND: "; is loki.url right?",
    httpx.codes.METHOD_NOT_ALLOWED: "; is loki.url right?",
}
# Of gRPC between Loki's parts (4 MiB by default), and of ``max_entries_limit_per_query``.
_TOO_MUCH = ("ResourceExhausted", "message larger than max", "max entries limit per query exceeded")

# Loki answers with 4 MiB by default, which JSON's escapes double; a single row may be that large. More is
# asked for in smaller answers.
_MOST_BYTES = 24 << 20
# A string takes 100 bytes once it is decoded, and 3 in an answer. 5,000 rows with 20 fields have 420,000.
_BYTES_PER_STRING = 48

T = TypeVar("T")


class LokiReader:
    """Asks the Loki that a push address belongs to, over connections that threads share."""

    def __init__(
        self,
        http: httpx.Client,
        push_url: str,
        answer_seconds: float = LONGEST_ANSWER_SECONDS,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._http = http
        self._answer_seconds = answer_seconds
        self._most_bytes = most_bytes
        self._url = query_url(push_url)

    def ask(self, query: Query) -> list[Row]:
        """Return the rows of one answer, oldest first.

        Raises ``AskAgainError``, ``CannotAskError`` and ``TooMuchError``.
        """
        return self._read(self._get(self._url, _parameters(query)), rows_of)

    def measure(self, measurement: Measurement) -> list[Sample]:
        """Return the samples of one metric query. Raises what ``ask`` raises."""
        url = self._url if measurement.step else self._url.replace("/query_range", "/query")
        return self._read(self._get(url, _metric_parameters(measurement)), samples_of)

    def _get(self, address: str, parameters: dict[str, str]) -> httpx.Response:
        if not self._url:
            raise CannotAskError("loki.url does not end in /push, so that its query API cannot be found")
        url = httpx.URL(address).copy_merge_params(parameters)
        try:
            return self._http.get(
                url, headers=_HEADERS, timeout=self._answer_seconds, extensions={MOST: self._most_bytes}
            )
        except (httpx.LocalProtocolError, ValueError):
            # The error's own text would hold the value of the header.
            raise CannotAskError("a token or header holds what no request can carry") from None
        except (httpx.ConnectError, httpx.ProxyError) as exc:
            raise UnreachableError(f"cannot reach Loki at {self._place}: {exc}") from exc
        except TooLongError as exc:
            raise TooMuchError(str(exc)) from exc
        except (httpx.ReadTimeout, httpx.WriteTimeout) as exc:
            raise OverdueError(
                f"no whole answer from Loki at {self._place} within {self._answer_seconds:g} s"
            ) from exc
        except httpx.HTTPError as exc:
            raise AskAgainError(f"no answer from Loki: {exc or type(exc).__name__}") from exc

    def _read(self, response: httpx.Response, decode: Callable[[bytes], list[T]]) -> list[T]:
        _raise_for(response)
        coding = coding_of(response)
        if coding:
            raise CannotAskError(f"Loki answers packed as {coding}, where identity was asked for")
        _bound_strings(response.content, self._most_bytes // _BYTES_PER_STRING)
        try:
            return decode(response.content)
        except ValueError as exc:
            place = without_credentials(str(response.url))
            raise CannotAskError(
                f"no answer of Loki's query API at {place}: {exc}; is loki.url right?"
            ) from exc

    @property
    def _place(self) -> str:
        return without_credentials(self._url)


def _parameters(query: Query) -> dict[str, str]:
    return {
        "query": query.logql,
        "start": str(query.start),
        "end": str(query.end),
        "limit": str(query.limit),
        "direction": "forward",
    }


def _metric_parameters(measurement: Measurement) -> dict[str, str]:
    if not measurement.step:
        return {"query": measurement.query, "time": str(measurement.end)}
    return {
        "query": measurement.query,
        "start": str(measurement.start),
        "end": str(measurement.end),
        "step": f"{measurement.step / 1e9:.3f}",
    }


def _bound_strings(body: bytes, most: int) -> None:
    """Raise ``TooMuchError`` for more strings than memory is kept for, before any is decoded."""
    # A quote inside a string has a backslash before it, the one that opens a string never.
    quotes = body.count(b'"') - body.count(b'\\"')
    if quotes > 2 * most:
        raise TooMuchError(f"the answer holds more than {most} strings")


def _raise_for(response: httpx.Response) -> None:
    """Raise what a status means that is no success."""
    status = response.status_code
    if status == httpx.codes.OK:
        return
    reason = " ".join(f"{status}: {response.text[:_REASON_CHARACTERS]}".split())
    if any(words in response.text for words in _TOO_MUCH):
        raise TooMuchError(reason)
    if status == _TOO_MANY_REQUESTS or status >= _FIRST_SERVER_ERROR:
        raise AskAgainError(f"Loki answers {reason}")
    advice = _ADVICE.get(status, "")
    raise CannotAskError(f"Loki answers {reason}{advice}")
