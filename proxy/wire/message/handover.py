"""Waiting for an event of a connection, and going on within it."""

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Handover(Generic[T]):
    """A future for one task, which goes on within ``give``, as if the event had called it.

    ``asyncio.Future`` wakes its task in the event loop's next round: with each round the interpreter is let
    go, and the recorder's thread may keep it for longer than a whole call takes. It is what ``asyncio``
    calls future-like (``asyncio.isfuture``).
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_context",
        "_is_cancelled",
        "_loop",
        "_value",
        "_wakeup",
        "done",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.done = False
        self._asyncio_future_blocking = False
        self._loop = loop
        self._is_cancelled = False
        self._value: T
        self._wakeup: Callable[[Handover[T]], object] | None = None
        self._context: Context | None = None

    def give(self, value: T) -> None:
        """Let the task go on with a value; in the next round if another task runs now. Once."""
        self._value = value
        self.done = True
        if self._wakeup is None:
            return
        if self._context is None or asyncio.current_task(self._loop) is not None:
            self._loop.call_soon(self._wakeup, self, context=self._context)
        else:
            self._context.run(self._wakeup, self)

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002 - as asyncio calls it
        """Have the task's cancellation raised where it waits."""
        if self.done:
            return False
        self.done = self._is_cancelled = True
        if self._wakeup is not None:
            self._loop.call_soon(self._wakeup, self, context=self._context)
        return True

    def result(self) -> T:
        """Return the value. Raises ``CancelledError``."""
        if self._is_cancelled:
            raise asyncio.CancelledError
        return self._value

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop of the task."""
        return self._loop

    def add_done_callback(
        self, callback: "Callable[[Handover[T]], object]", *, context: Context | None = None
    ) -> None:
        """Note how the task goes on."""
        self._wakeup, self._context = callback, context

    def __await__(self) -> "Generator[Handover[T], None, T]":
        """Wait for the value and return it."""
        if not self.done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()
