"""Questions of the commands that read back from Loki: with patience, and each error in one line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from shipper.config import LokiSettings
from shipper.loki.connect import connect
from shipper.loki.query.client import LokiReader
from shipper.loki.query.query import Ask, AskAgainError, Question, Row, UnreachableError

# A limit or a restart of Loki's has passed by then, or it has not.
_WAITS = (1.0, 2.0, 4.0, 8.0)


@contextmanager
def asking(loki: LokiSettings) -> Iterator[Ask]:
    """Give what asks the configured Loki, and waits out trouble that passes.

    A Loki that was never reached is not waited for. Raises ``UnusableError`` for the configuration.
    """
    with connect(loki) as http:
        yield _patient(LokiReader(http, loki.url).ask)


def _patient(ask: Ask) -> Ask:
    answered = False

    def asked(question: Question) -> list[Row]:
        nonlocal answered
        for wait in _WAITS:
            try:
                rows = ask(question)
            except AskAgainError as exc:
                if isinstance(exc, UnreachableError) and not answered:
                    raise
                time.sleep(wait)
            else:
                answered = True
                return rows
        return ask(question)

    return asked
