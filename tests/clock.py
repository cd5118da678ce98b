"""A fresh time for records: when this process began to test.

Whatever is judged by its age, by a Loki, by ``--since`` or by a query, has its time from here, never from a
date in the text of a test. It stands still, so that a name, a folder and a line made of it agree.
"""

import time
from datetime import UTC, datetime

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
# Nanoseconds since 1970, as all times here.
NOW = time.time_ns()


def stamp(at: int = NOW) -> str:
    """Return a time as the proxy writes it: RFC 3339 with nanoseconds."""
    return f"{_second(at):%Y-%m-%dT%H:%M:%S}.{at % SECOND:09d}Z"


def session(number: int, at: int = NOW) -> str:
    """Return the name of a session that began then; ``number`` is of 32 bits."""
    return f"{_second(at):%Y%m%d-%H%M%S}-{number:08x}"


def day(at: int = NOW) -> str:
    """Return the name of the folder of the sessions that began on that day."""
    return f"{_second(at):%Y-%m-%d}"


def _second(at: int) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC)
