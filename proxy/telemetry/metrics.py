"""What has been counted of calls. Belongs to the event loop, which adds numbers here and nothing else."""

from dataclasses import dataclass, field
from typing import get_args

from groundwork.histogram import Histogram
from proxy.record.record import ErrorKind
from proxy.wire.access.call_kind import KINDS, Kind
from proxy.wire.routing import PROVIDERS

# Statuses that an operator tells apart; any other counts by its class, such as 4xx.
_STATUSES = (200, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504, 529)
NO_STATUS, OTHER_STATUS = "none", "other"
_CLASSES = {2: "2xx", 3: "3xx", 4: "4xx", 5: "5xx"}
_NAMES = {each: str(each) for each in _STATUSES}
STATUSES = (*_NAMES.values(), *_CLASSES.values(), OTHER_STATUS, NO_STATUS)
# The provider of a request that was refused before it had a route.
NO_PROVIDER = "none"
# How a call can fail while this process lives, and by the proxy's own account.
FAILURES = tuple(kind for kind in get_args(ErrorKind) if kind not in {"interrupted", "provider"})
# What is no failure of the proxy or the provider.
_CUTS = frozenset({"client_gone", "shutdown"})
# A conversation is always on record; a task is not where ``record`` says so.
UNRECORDED = tuple(kind for kind in KINDS if kind != "conversation")
# From what a relayed call costs on an idle machine to what nobody would bear, in seconds.
_ADDED = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


@dataclass(slots=True)
class Metrics:
    """Counts since the start of the process, pre-set to 0 so that a rate over them has a beginning.

    ``requests`` are those that have ended, by provider and the status that the client got; ``failures`` are
    calls that did not end well, by kind; ``unrecorded`` those of which nothing is on record, by what they are
    for; ``added`` is in seconds.
    """

    calls: int = 0
    requests: dict[tuple[str, str], int] = field(
        default_factory=lambda: dict.fromkeys(
            ((provider, status) for provider in (*PROVIDERS, NO_PROVIDER) for status in STATUSES), 0
        )
    )
    failures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAILURES, 0))
    unrecorded: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(UNRECORDED, 0))
    added: Histogram = field(default_factory=lambda: Histogram(_ADDED))

    def ended(self, provider: str, status: int) -> None:
        """Count a request; ``status`` is 0 where the client got none."""
        name = _NAMES.get(status) or _CLASSES.get(status // 100) or (OTHER_STATUS if status else NO_STATUS)
        self.requests[provider, name] += 1

    @property
    def refused(self) -> int:
        """Requests that were not forwarded."""
        return sum(count for (provider, _), count in self.requests.items() if provider == NO_PROVIDER)

    @property
    def failed(self) -> int:
        """Calls that failed, but for those that their client or the end of the process cut."""
        return sum(count for kind, count in self.failures.items() if kind not in _CUTS)
