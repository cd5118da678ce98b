"""What has been counted. Owned by the loop; the health port reads copies."""

from dataclasses import dataclass, field

from shipper.entry import DropReason


@dataclass(slots=True)
class Metrics:
    """Counters since the start of the process, and the last error.

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
    retries: int = 0
    last_error: str | None = None
    last_error_time: float | None = None
    dropped: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DropReason, 0))
    pushes: dict[str, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)

    @property
    def entries_dropped(self) -> int:
        """Entries given up, for whatever reason."""
        return sum(self.dropped.values())

    def failed(self, error: str, wall: float) -> None:
        """Note the last error; ``wall`` is seconds since 1970."""
        self.last_error, self.last_error_time = error, wall
