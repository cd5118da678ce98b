"""Entries for tests."""

from shipper.entry import Entry, Pairs, Span

MINUTE = 60 * 1_000_000_000
NOON = 1_795_435_200 * 1_000_000_000
STREAM: Pairs = (("app", "llm-proxy"), ("log_type", "request"))


def entry(
    number: int, *, minutes: float = 0.0, size: int = 10, stream: Pairs = STREAM, file_id: int = 1
) -> Entry:
    """Return the ``number``-th entry of a file, stamped ``minutes`` after noon."""
    span = Span(file_id, number * 100, number * 100 + 100)
    return Entry(span, stream, NOON + int(minutes * MINUTE) + number, b"x" * size, (("seq", str(number)),))
