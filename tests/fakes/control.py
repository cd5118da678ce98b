"""How a test orders misbehaviour: a queue of orders, filled in the process or through ``/_fake/``."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import msgspec

from tests.fakes.reply import Down, Reply, json_answer, text_answer
from tests.fakes.wire import Request

PREFIX = b"/_fake/"


class Scripted(Protocol):
    """What an order says of when it counts."""

    @property
    def times(self) -> int:
        """Return for how many requests; 0 for all until cleared."""

    @property
    def path(self) -> str:
        """Return how the paths end that it is for."""


OrderT = TypeVar("OrderT", bound=Scripted)


class Script(Generic[OrderT]):
    """Orders that wait for requests, oldest first; ``kind`` is their class."""

    def __init__(self, kind: type[OrderT]) -> None:
        self._decoder = msgspec.json.Decoder(list[kind] | kind)  # type: ignore[valid-type]
        self._waiting: list[tuple[OrderT, int]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, *orders: OrderT) -> None:
        """Put orders behind those that wait."""
        self._waiting += [(order, order.times) for order in orders]

    def clear(self) -> None:
        """Forget all that wait."""
        self._waiting.clear()

    def peek(self, path: str) -> OrderT | None:
        """Return the first order for this path, and leave it."""
        return next((order for order, _ in self._waiting if path.endswith(order.path)), None)

    def take(self, path: str, fits: Callable[[OrderT], bool] = lambda _: True) -> OrderT | None:
        """Return the first order for this path that fits, and use it up once."""
        for index, (order, left) in enumerate(self._waiting):
            if path.endswith(order.path) and fits(order):
                if left == 1:
                    del self._waiting[index]
                elif left > 1:
                    self._waiting[index] = (order, left - 1)
                return order
        return None

    def control(self, request: Request) -> Reply | None:
        """Answer ``/_fake/script`` and ``/_fake/down``; None for any other path."""
        try:
            if request.path == "/_fake/down":
                return [json_answer({}), Down(float(request.body))]
            if request.path != "/_fake/script":
                return None
            if request.method == b"DELETE":
                self.clear()
            elif request.method == b"POST":
                read = self._decoder.decode(request.body)
                self.add(*(read if isinstance(read, list) else [read]))
        except ValueError as exc:
            return text_answer(f"{exc}\n", 400)
        return json_answer({"waiting": len(self)})
