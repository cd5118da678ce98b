"""What an answer of Loki means, and how long to wait after a failure: two pure functions.

The texts are those of Loki 3.7's ``pkg/validation/validate.go`` and ``pkg/ingester``.
"""

import re
from datetime import datetime
from enum import StrEnum

from shipper.entry import DropReason
from shipper.loki.push.push import Answer, Silence

BASE_SECONDS = 0.1
MOST_SECONDS = 10.0
JITTER = 0.25
# A gateway's wish is honoured, but not for so long that a wrong one would look like a standstill.
MOST_RETRY_AFTER_SECONDS = 300.0


# A push goes on in Loki after its client has left: the ingester has 5 s (``remote_timeout``), and as much
# again makes sure.
SETTLED_SECONDS = 10.0
# By default gateways give up after a minute: waiting for longer would only hold the stream up.
_MOST_DOUBLINGS = 3
# Answers that come before anything is stored; the last is Envoy's, which has passed nothing on.
_NOTHING_STORED = ("empty ring", "Ingester is shutting down", "no healthy upstream")
_TOO_LARGE = ("ResourceExhausted", "message larger than max")


class Meaning(StrEnum):
    """What is known of a push's entries after an answer."""

    DELIVERED = "delivered"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    TOO_LARGE = "too_large"
    TENANT_LIMIT = "tenant_limit"
    STREAM_LIMIT = "stream_limit"
    STREAM_COUNT = "stream_count"
    REFUSED = "refused"
    NO_METADATA = "no_metadata"
    HOLD = "hold"
    VERIFIED = "told"


_REFUSALS = {
    "max entry size": DropReason.LINE_TOO_LONG,
    "timestamp too old": DropReason.TOO_OLD,
    "timestamp too new": DropReason.TOO_NEW,
    "entry too far behind": DropReason.TOO_FAR_BEHIND,
    "structured metadata too large": DropReason.METADATA_TOO_LARGE,
    "too many structured metadata labels": DropReason.METADATA_TOO_LARGE,
}
_LINE_LIMIT = re.compile(r"max entry size '(\d+)'")
_OLDEST = re.compile(r"oldest acceptable timestamp is: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d))")
_RATE_LIMIT = re.compile(r"\(limit: ([\d.]+)\s*([kMG]?i?B?)(?:ytes|bytes)?/sec\)", re.IGNORECASE)
_RATE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_FOREIGN_SUCCESSES = frozenset(range(200, 260)) - {204}
_BAD_REQUEST = 400
_FIRST_SERVER_ERROR = 500
# A gateway has waited for long enough, or its own client has left: Loki's work goes on. (499 is nginx's and
# Loki's.)
_GIVEN_UP = frozenset({408, 499})
# What gateways answer at once when they cannot pass a request on.
_AT_ONCE = frozenset({502, 503})
# Loki fails a push with this status and a line of text (``pkg/distributor/http.go``); gateways answer with
# others, or with a page.
_OWN_FAILURE = 500


def meaning_of(answer: Answer) -> Meaning:  # noqa: PLR0911 - one return a meaning
    """Tell what an answer says of the push as a whole. Only 204 is success; 260 is a refusal."""
    match answer.status, answer.silence:
        case 204, _:
            return Meaning.DELIVERED
        case _, Silence.UNREACHABLE:
            return Meaning.NOT_SENT
        case _, Silence():
            return Meaning.UNKNOWN
        case 413, _:
            return Meaning.TOO_LARGE
        case 429, _:
            return _meaning_of_limit(answer.text)
        case 400, _:
            return _meaning_of_refusal(answer.text)
        case status, _ if status >= _FIRST_SERVER_ERROR:
            return _meaning_of_server_error(answer.text)
    return Meaning.HOLD


def _meaning_of_limit(text: str) -> Meaning:
    told = text.lower()
    if "active stream limit" in told:
        return Meaning.STREAM_COUNT
    return Meaning.STREAM_LIMIT if "per stream rate limit" in told else Meaning.TENANT_LIMIT


def _meaning_of_refusal(text: str) -> Meaning:
    if "this feature is disallowed" in text:
        return Meaning.NO_METADATA
    return Meaning.REFUSED if refusals_in(text) else Meaning.HOLD


def _meaning_of_server_error(text: str) -> Meaning:
    if any(words in text for words in _TOO_LARGE):
        return Meaning.TOO_LARGE
    return Meaning.NOT_SENT if any(words in text for words in _NOTHING_STORED) else Meaning.UNKNOWN


def is_own_failure(answer: Answer) -> bool:
    """Tell whether Loki itself failed a push: it may have a part of it, on some of its nodes."""
    if answer.status < _FIRST_SERVER_ERROR or _has_stored_nothing(answer):
        return False
    own = answer.status == _OWN_FAILURE and not answer.text.lstrip().startswith("<")
    return own or "rpc error: code = " in answer.text


def is_unfinished(answer: Answer) -> bool:
    """Tell whether a push may go on after this, or wait in a gateway, and come to Loki later.

    Loki answers when all is done, unless it missed a deadline of its own. Whatever else answers with a
    success or a server error may have passed the push on.
    """
    if _has_stored_nothing(answer):
        return False
    silent = answer.silence in {Silence.TIMEOUT, Silence.BROKEN}
    missed = answer.status in _GIVEN_UP or "deadline exceeded" in answer.text
    foreign = answer.status >= _FIRST_SERVER_ERROR and not is_own_failure(answer)
    return silent or missed or foreign or answer.status in _FOREIGN_SUCCESSES


def _has_stored_nothing(answer: Answer) -> bool:
    return any(words in answer.text for words in (*_NOTHING_STORED, *_TOO_LARGE))


def is_queued(answer: Answer) -> bool:
    """Tell whether an unfinished push may stand in a queue, so that each further one makes it longer."""
    return is_unfinished(answer) and answer.status not in _AT_ONCE


def verify_after(answer: Answer, verify_backoff: int = 0) -> float:
    """Return the seconds after which Loki can tell what it has of a push of unknown fate.

    Doubled where queued pushes were not there in time: to send them again soon feeds the queue.
    """
    if not is_unfinished(answer):
        return 0.0
    return SETTLED_SECONDS * 2.0 ** min(verify_backoff if is_queued(answer) else 0, _MOST_DOUBLINGS)


def refusals_in(text: str) -> frozenset[DropReason]:
    """Return the refusals that a text names; it may name fewer than Loki made."""
    return frozenset(refusal for words, refusal in _REFUSALS.items() if words in text)


def concerns_metadata(answer: Answer) -> bool:
    """Tell whether a push may pass with less structured metadata."""
    is_refused = DropReason.METADATA_TOO_LARGE in refusals_in(answer.text)
    return answer.status == _BAD_REQUEST and (
        is_refused or _meaning_of_refusal(answer.text) is Meaning.NO_METADATA
    )


def line_limit_in(text: str) -> int | None:
    """Return the longest line in bytes, where a text tells it."""
    match = _LINE_LIMIT.search(text)
    return int(match[1]) if match else None


def oldest_accepted_in(text: str) -> int:
    """Return the oldest time in nanoseconds that Loki accepts, where a text tells it; else 0."""
    match = _OLDEST.search(text)
    return int(datetime.fromisoformat(match[1]).timestamp()) * 10**9 if match else 0


def rate_limit_in(text: str) -> float | None:
    """Return the limit in bytes a second, where a text tells it: ``4194304 bytes/sec``, ``3MB/sec``."""
    match = _RATE_LIMIT.search(text)
    return float(match[1]) * _RATE_UNITS[match[2][:1].lower().removesuffix("b")] if match else None


def wait_after(attempts: int, jitter: float, retry_after: float = 0.0) -> float:
    """Return seconds to wait after the ``attempts``-th failure (from 1); ``jitter`` is in [0, 1).

    ``min(10, 0.1 * 2 ** (attempts - 1)) * (1 + 0.25 * jitter)``, and never less than ``retry_after``.
    """
    doubled = min(MOST_SECONDS, BASE_SECONDS * 2.0 ** min(attempts - 1, 32))
    return max(doubled * (1 + JITTER * jitter), min(retry_after, MOST_RETRY_AFTER_SECONDS))
