"""A provider that speaks Anthropic's and OpenAI's wire formats, and misbehaves on command.

``FakeProvider`` runs it in a thread of the test; ``python -m tests.fakes.provider`` runs it as a process.
Orders (``order.Order``) come in the header ``x-fake``, by ``POST /_fake/script``, or by ``order()``;
``GET /_fake/requests`` tells what arrived, byte for byte.
"""

from tests.fakes.provider.app import ProviderApp
from tests.fakes.provider.order import Order, ToolUse
from tests.fakes.server import Fake
from tests.fakes.wire import Request

__all__ = ["FakeProvider", "Order", "ProviderApp", "ToolUse"]


class FakeProvider(Fake):
    """A provider in this process: a context manager with a ``url``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = ProviderApp()
        super().__init__(self._app, host, port)

    @property
    def requests(self) -> list[Request]:
        """The latest 1000 requests, oldest first."""
        return self.call(lambda: list(self._app.requests))

    def order(self, *orders: Order) -> None:
        """Put orders behind those that wait; each is for the next request, or for ``times`` of them."""
        self.call(lambda: self._app.script.add(*orders))

    def clear(self) -> None:
        """Forget the orders that wait and the requests that came."""
        self.call(self._app.script.clear)
        self.call(self._app.requests.clear)
