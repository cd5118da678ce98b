"""How much structured metadata Loki takes, as its refusals tell."""

from dataclasses import dataclass

from shipper.loki.push.push import Metadata

# After this time more is tried again: an unchanged limit costs a push that goes twice.
_FORGOTTEN_SECONDS = 600.0


@dataclass(slots=True)
class MetadataLimit:
    """``most`` is what the next push may have; times are a monotonic clock's."""

    most: Metadata = Metadata.ALL
    _lowered_at: float = 0.0

    def lower(self, most: Metadata, now: float) -> None:
        """Take a refusal: no more than this from now on."""
        self.most, self._lowered_at = min(self.most, most), now

    def at(self, now: float) -> Metadata:
        """Return what a push that leaves now may have."""
        if self.most is not Metadata.ALL and now - self._lowered_at >= _FORGOTTEN_SECONDS:
            self.most = Metadata.ALL
        return self.most
