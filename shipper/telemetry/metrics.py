"""What has been counted. Owned by the loop; the health port reads copies."""

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from groundwork.histogram import Histogram
from shipper.entry import DropReason

# What a person reads to see what is wrong; older ones are in the log.
_MISHAPS = 20


class LoggedProblem(NamedTuple):
    """A warning or an error as it was logged last, and how often in a row; ``wall`` is since 1970."""

    wall: float
    event: str
    text: str
    times: int = 1


# From a batch that leaves at once to what an outage of a day makes of it, in seconds.
_LATENCIES = (0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)
# What Loki and the gateways before it answer; any other answer is ``other``, silence is ``none``.
_STATUSES = (204, 400, 401, 403, 404, 413, 429, 500, 502, 503, 504)
NO_STATUS, OTHER_STATUS = "none", "other"
STATUSES = (*map(str, _STATUSES), OTHER_STATUS, NO_STATUS)


@dataclass(slots=True)
class Metrics:
    """Counters since the start of the process, and the last error.

    ``entries_forgotten`` counts acknowledged entries that an audit did not find in Loki, ``entries_restored``
    those that were sent again; ``entries_missing`` are those of the last audit. ``read_back_until`` is a time
    in seconds since 1970, 0 before the first audit. ``refused_in_row`` counts entries that Loki rejected
    since it acknowledged one.

    Reasons and meanings are pre-set to 0, so that a rate over them has a beginning.
    """

    lines_read: int = 0
    bytes_read: int = 0
    entries_sent: int = 0
    parts_sent: int = 0
    bytes_sent: int = 0
    batches_sent: int = 0
    entries_failed: int = 0
    entries_late: int = 0
    maybe_duplicated: int = 0
    entries_forgotten: int = 0
    entries_restored: int = 0
    entries_missing: int = 0
    refused_in_row: int = 0
    read_back_until: float = 0.0
    retries: int = 0
    log_lines_dropped: int = 0
    entries_retried: int = 0
    bytes_retried: int = 0
    last_error: str | None = None
    last_error_time: float | None = None
    advice: str = ""
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DropReason, 0))
    bytes_dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DropReason, 0))
    latency: Histogram = field(default_factory=lambda: Histogram(_LATENCIES))
    pushes: dict[str, int] = field(default_factory=dict)
    answers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    events: dict[str, int] = field(default_factory=dict)
    mishaps: deque[LoggedProblem] = field(default_factory=lambda: deque(maxlen=_MISHAPS))

    @property
    def entries_dropped(self) -> int:
        """Entries given up, for whatever reason."""
        return sum(self.dropped.values())

    def answered(self, status: int) -> None:
        """Count an answer to a push by its HTTP status; 0 is none."""
        name = str(status or NO_STATUS)
        self.answers[name if name in self.answers else OTHER_STATUS] += 1

    def happened(self, event: str, text: str, wall: float) -> None:
        """Note what was told as a warning or an error."""
        last = self.mishaps[-1] if self.mishaps else None
        if last is not None and (last.event, last.text) == (event, text):
            self.mishaps[-1] = LoggedProblem(wall, event, text, last.times + 1)
        else:
            self.mishaps.append(LoggedProblem(wall, event, text))

    def failed(self, error: str, wall: float, advice: str = "") -> None:
        """Note the last error and what helps against it; ``wall`` is seconds since 1970."""
        self.last_error, self.last_error_time, self.advice = error, wall, advice
