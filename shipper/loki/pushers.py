"""The threads that encode and push: compression and network run beside reading, as both release the GIL."""

import queue
import threading
from collections.abc import Callable

from shipper.loki.client import LokiClient
from shipper.loki.encoding import Encode
from shipper.loki.push import Answer, Push

# Enough for 1 MiB pushes to fill a fast line at 50 ms an answer; each holds one push's bytes a few times.
PUSHERS = 6


class Pushers:
    """Takes pushes and hands back (number, answer) through ``done``, called from a pusher's thread."""

    def __init__(self, client: LokiClient, encode: Encode, done: Callable[[int, Answer], None]) -> None:
        self._client = client
        self._encode = encode
        self._done = done
        self._orders: queue.SimpleQueue[tuple[Push, bool] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(PUSHERS)]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def submit(self, push: Push, *, metadata: bool) -> None:
        """Order one push."""
        self._orders.put((push, metadata))

    def stop(self) -> None:
        """Let the threads end once they are free; pushes under way are left to themselves."""
        for _ in self._threads:
            self._orders.put(None)

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            push, metadata = order
            headers, body = self._encode(push, metadata=metadata)
            self._done(push.number, self._client.push(headers, body))
