import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shipper.checkpoint.append import append


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the kernel cut every write at this size, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_row_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "rows"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    append(descriptor, b"first\n")

    with largest_file(10), pytest.raises(OSError, match="No space left"):
        append(descriptor, b"second\n")

    append(descriptor, b"third\n")
    os.close(descriptor)
    assert path.read_bytes() == b"first\nthird\n"
