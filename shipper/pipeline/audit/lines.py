"""The entries of a session file, made again from its bytes as they were made when they were pushed."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from groundwork.disk.files import open_below
from shipper.entry import Span
from shipper.record.content import Content, content_in_memory
from shipper.record.entries import Entries, Labelling, entries_of
from shipper.record.envelope import envelope_of
from shipper.record.provider import HEAD_BYTES, origin_of, provider_in_head
from shipper.record.timestamp import time_of

# A longer line is read in blocks and never held whole.
_LARGEST_HELD = 4 << 20
_BLOCK_BYTES = 1 << 20


class FileLine(NamedTuple):
    """One line that is not blank: its number from 1, and its entries. It is valid until the next is read."""

    number: int
    entries: Entries


def lines_in(
    path: str, labelling: Labelling, *, now: int, first_seen: int = 0, end: int | None = None
) -> Iterator[FileLine]:
    """Yield the complete lines of a file up to the offset ``end``; ``now`` is in nanoseconds.

    ``first_seen`` stands for the time of a file whose first lines have none. Raises ``OSError``.
    """
    with os.fdopen(open_below(Path(path).parent, path, os.O_RDONLY), "rb") as file:
        end = os.fstat(file.fileno()).st_size if end is None else end
        provider = provider_in_head(file.read(HEAD_BYTES))
        previous = 0
        for number, (start, size) in enumerate(_borders(file, end), 1):
            content = _content(file, start, size)
            if content.held is not None and not content.held.strip(b"\r"):
                continue
            envelope = envelope_of(content)
            time = time_of(envelope.meta.ts, previous=previous, name=path, first_seen=first_seen, now=now)
            origin = origin_of(
                envelope, envelope.provider if isinstance(envelope.provider, str) else provider, path
            )
            previous = time
            span = Span(0, start, start + size + 1)
            yield FileLine(
                number,
                entries_of(span, content, envelope, origin=origin, timestamp=time, labelling=labelling),
            )


def _borders(file: BinaryIO, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each complete line starts and its size without the newline."""
    start = 0
    while start < end:
        size = _line_size(file, start)
        if size is None or start + size >= end:
            return
        yield start, size
        start += size + 1


def _line_size(file: BinaryIO, start: int) -> int | None:
    """Return the size of the line at an offset; ``None`` if it has no newline."""
    file.seek(start)
    size = 0
    while block := file.readline(_BLOCK_BYTES):
        size += len(block)
        if block.endswith(b"\n"):
            return size - 1
    return None


def _content(file: BinaryIO, start: int, size: int) -> Content:
    if size > _LARGEST_HELD:
        descriptor = file.fileno()
        return Content(size, lambda offset, most: os.pread(descriptor, most, start + offset))
    file.seek(start)
    return content_in_memory(file.read(size))
