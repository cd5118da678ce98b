"""A row at the end of a file: all of it, or nothing."""

import errno
import os


def append(descriptor: int, row: bytes) -> None:
    """Write a row that ends in a newline to a file that is open for appending. Raises ``OSError``.

    A disk that fills up takes a part of a row: left there, it would spoil the next one too.
    """
    written = os.write(descriptor, row)
    if written < len(row):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
