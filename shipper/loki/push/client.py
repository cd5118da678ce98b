"""Loki's edge: one push is one POST."""

import time
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime

import httpx

from shipper.loki.push.push import UNCARRIABLE, Answer, Silence
from shipper.loki.wire.address import beside
from shipper.loki.wire.body import coding_of

# Loki names each distinct refusal once, without a bound: enough to read the first ones.
_ANSWER_BYTES = 16 * 1024


class LokiClient:
    """Pushes to one endpoint, over connections that threads share."""

    def __init__(self, http: httpx.Client, url: str) -> None:
        self._http = http
        # Read once, not for every push.
        self._url = httpx.URL(url)
        self._epoch: float | None = None

    @property
    def time_ns(self) -> int:
        """Loki's time as its last answer tells it, else the own; in nanoseconds since 1970."""
        return int((time.time() if self._epoch is None else self._epoch + time.monotonic()) * 1e9)

    def push(self, headers: dict[str, str], body: bytes) -> Answer:
        """Send one body and return what came back; never raises."""
        content = _Body(body)
        sized = {**headers, "Content-Length": str(len(body))}
        try:
            with self._http.stream("POST", self._url, headers=sized, content=content) as response:
                return self._noted(_answer_of(response))
        except (httpx.HTTPError, ValueError) as exc:
            return silence_of(exc)
        finally:
            content.let_go()

    def ask_time(self) -> Answer:
        """Ask whether Loki is ready, for the time that any answer tells; never raises."""
        try:
            with self._http.stream("GET", beside(str(self._url), "/ready")) as response:
                return self._noted(_answer_of(response))
        except (httpx.HTTPError, ValueError) as exc:
            return silence_of(exc)

    def _noted(self, answer: Answer) -> Answer:
        self._epoch = self._epoch if answer.epoch is None else answer.epoch
        return answer


class _Body:
    """A body that may be sent several times, and let go of.

    Request and response of httpx refer to each other, and would keep it until the collector of cycles comes.
    """

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    def let_go(self) -> None:
        self._content = b""


def silence_of(exc: httpx.HTTPError | ValueError) -> Answer:
    """Return what an exchange that failed stands for."""
    if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError | httpx.PoolTimeout):
        return Answer(silence=Silence.UNREACHABLE, text=_reason(exc))
    if isinstance(exc, httpx.TimeoutException):
        return Answer(silence=Silence.TIMEOUT, text=_reason(exc))
    if isinstance(exc, httpx.LocalProtocolError | ValueError):
        # The error's own text would hold the value of the header.
        return Answer(silence=Silence.UNREACHABLE, text=UNCARRIABLE)
    return Answer(silence=Silence.BROKEN, text=_reason(exc))


def _answer_of(response: httpx.Response) -> Answer:
    epoch = epoch_of(response.headers.get("Date", ""), time.monotonic())
    coding = coding_of(response)
    # A status tells the fate of a push, with or without a text that can be read.
    text = f"(packed as {coding})" if coding else b"".join(_beginning(response)).decode("utf-8", "replace")
    return Answer(
        response.status_code,
        text,
        retry_after=_seconds(response.headers.get("Retry-After", ""), response.headers.get("Date", "")),
        proxy=response.extensions.get("proxy", ""),
        epoch=epoch,
    )


def epoch_of(date: str, now: float) -> float | None:
    """Return a Date header's time less ``now``; None where it is none."""
    try:
        # It tells whole seconds: on average, half a second has gone by.
        return parsedate_to_datetime(date).astimezone(UTC).timestamp() + 0.5 - now
    except (TypeError, ValueError, OverflowError):
        return None


def _beginning(response: httpx.Response) -> Iterator[bytes]:
    taken = 0
    for piece in response.iter_raw():
        yield piece[: _ANSWER_BYTES - taken]
        taken += len(piece)
        if taken >= _ANSWER_BYTES:
            return


def _seconds(wish: str, date: str) -> float:
    """Read a Retry-After (RFC 9110 10.2.3); of a date, the time from the answer's own date on."""
    if wish.isascii() and wish.isdigit():
        return float(wish)
    try:
        return max(0.0, (parsedate_to_datetime(wish) - parsedate_to_datetime(date)).total_seconds())
    except (TypeError, ValueError):
        return 0.0


def _reason(exc: Exception) -> str:
    return str(exc) or type(exc).__name__
