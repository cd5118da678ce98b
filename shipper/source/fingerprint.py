"""Which file is which: device and inode can lie, the bytes cannot.

A file is known by a hash of its head and a hash of the bytes just before its offset. Inodes are used again
after a delete, devices change on a remount, and a copy-and-truncate keeps both (Fluent Bit's offset marker
and Filebeat's fingerprint answer the same troubles).
"""

import hashlib

from shipper.entry import Fingerprint

# Filebeat's and OpenTelemetry's length too; a session_start line, unique by its session id, fits well within.
HEAD_BYTES = 1024
# A record's end holds the tail of a timestamp or a body: 64 bytes tell two continuations apart.
MARK_BYTES = 64


def fingerprint(data: bytes) -> Fingerprint:
    """Return the print of exactly these bytes."""
    return (
        Fingerprint(len(data), hashlib.blake2b(data, digest_size=16).hexdigest()) if data else Fingerprint()
    )


def fits_head(head: Fingerprint, data: bytes) -> bool:
    """Tell whether ``data`` begins with the bytes that were hashed; a print of nothing fits all."""
    return len(data) >= head.length and fingerprint(data[: head.length]) == head


def fits_mark(mark: Fingerprint, data: bytes) -> bool:
    """Tell whether ``data`` ends with the bytes that were hashed; a print of nothing fits all."""
    return len(data) >= mark.length and fingerprint(data[len(data) - mark.length :]) == mark


def mark_start(offset: int) -> int:
    """Return where the bytes begin whose hash stands for what lies before ``offset``."""
    return max(0, offset - MARK_BYTES)
