"""What one look at a file shows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sighting:
    """One regular file as ``stat`` saw it; ``path`` begins as the log folder was given."""

    path: str
    device: int
    inode: int
    size: int
    modified_ns: int
