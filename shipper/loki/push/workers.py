"""The threads that push: the network runs beside reading.

Encoding does not: what a thread spares the loop by it, both lose in handing the interpreter to and fro.
"""

import queue
import threading
from collections.abc import Callable
from functools import partial

from shipper.loki.push.client import LokiClient
from shipper.loki.push.encoding import Encode, Encoded
from shipper.loki.push.push import Answer, Push, Verification

# Enough for 1 MiB pushes to fill a fast line at 50 ms an answer.
PUSHERS = 6
# The number of an answer that is of no push: those have numbers from 1 on.
TIME = 0


class Pushers:
    """Takes pushes and hands back (number, answer) through ``done``, called from a pusher's thread.

    A push to verify goes to ``ask`` instead.
    """

    def __init__(
        self,
        client: LokiClient,
        encode: Encode,
        *,
        ask: Callable[[Push], Verification],
        done: Callable[[int, Answer | Verification], None],
    ) -> None:
        self._client = client
        self._encode = encode
        self._ask = ask
        self._done = done
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(PUSHERS)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, push: Push) -> None:
        """Encode one push, here and now, and order it."""
        encoded = None if push.verify else self._encode(push)
        self._orders.put(partial(self._push, push, encoded))

    def ask_time(self) -> None:
        """Order that Loki be asked for the time; the answer has the number ``TIME``."""
        self._orders.put(lambda: self._done(TIME, self._client.ask_time()))

    def stop(self) -> None:
        """Let the threads end once they are free; pushes under way are left to themselves."""
        for _ in self._threads:
            self._orders.put(None)

    def _run(self) -> None:
        while self._carry_out():
            pass

    def _carry_out(self) -> bool:
        """Carry out one order, and let go of it before the next is waited for; False at the end."""
        order = self._orders.get()
        if order is None:
            return False
        order()
        return True

    def _push(self, push: Push, encoded: Encoded | None) -> None:
        self._done(push.number, self._client.push(*encoded) if encoded else self._ask(push))
