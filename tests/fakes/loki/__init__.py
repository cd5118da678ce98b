"""A Loki that enforces the limits of 3.7.6 and answers as it does, and misbehaves on command.

``FakeLoki`` runs it in a thread of the test; ``python -m tests.fakes.loki`` runs it as a process.

A push goes ``push`` (bytes -> streams), ``distributor`` (``validation``, ``level``, ``rate``), ``ingester``.
A query goes ``queries`` (HTTP), ``logql`` (text -> query), ``query`` and ``pipeline`` (query -> rows).
All but ``app`` is pure; sections 1 to 5 and 9 of the recorded facts are replayed in ``tests/fakes_tests``.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec

from tests.fakes.loki.app import Kept, LokiApp, PushSeen
from tests.fakes.loki.limits import Limits
from tests.fakes.loki.order import Order
from tests.fakes.server import Fake

__all__ = ["FakeLoki", "Kept", "Limits", "LokiApp", "Order", "PushSeen"]


class FakeLoki(Fake):
    """A Loki in this process: a context manager with a ``url``. Further arguments are fields of ``Limits``.

    ``clock`` gives nanoseconds.
    """

    def __init__(self, *, port: int = 0, clock: Callable[[], int] = time.time_ns, **limits: Any) -> None:
        self._app = LokiApp(Limits(**limits), clock)
        super().__init__(self._app, port=port)
        self.push_url = f"{self.url}/loki/api/v1/push"

    def entries(self) -> list[Kept]:
        """All that is stored, whatever a query would show of it, oldest stamp first."""
        return sorted(self.call(lambda: list(self._app.kept())), key=lambda kept: kept.ts)

    def lines(self) -> list[str]:
        """The stored lines, oldest stamp first."""
        return [kept.line for kept in self.entries()]

    @property
    def pushes(self) -> list[PushSeen]:
        """The latest pushes, oldest first."""
        return self.call(lambda: list(self._app.pushes))

    @property
    def state(self) -> dict[str, Any]:
        """Counts over all tenants."""
        return self.call(self._app.state)

    def order(self, *orders: Order) -> None:
        """Put orders behind those that wait."""
        self.call(lambda: self._app.script.add(*orders))

    def clear_orders(self) -> None:
        """Forget the orders that wait."""
        self.call(self._app.script.clear)

    def forget(self, gone: Callable[[str], bool] = lambda _: True) -> int:
        """Lose the entries whose line fits, though they were acknowledged; return how many there were."""
        return self.call(lambda: self._app.forget(gone))

    def limit(self, **changes: Any) -> None:
        """Change limits from the next request on."""

        def change() -> None:
            self._app.limits = msgspec.structs.replace(self._app.limits, **changes)

        self.call(change)
