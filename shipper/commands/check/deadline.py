"""A probe never hangs: what takes longer than its deadline is left behind."""

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, probe: Callable[[], T]) -> T:
    """Return what ``probe`` returns, or raise what it raises; ``TimeoutError`` when time is up.

    A name server or a peer that trickles its answer can outlast every timeout of a socket; such a probe ends
    with the process.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(probe())
        except BaseException as exc:  # noqa: BLE001 - raised again where it is waited for
            errors.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError("timed out")
    return results[0]
