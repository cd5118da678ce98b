"""Hashes of bodies that the recorder's queue lets go, made on a thread of their own.

The event loop never hashes, and the recorder's thread may stand still with its disk.
"""

import hashlib
import threading
from collections.abc import Sequence
from queue import SimpleQueue


class _Hash:
    """One hash. Thousands wait with a slow disk, so each is one object: ``Future`` is a dozen."""

    __slots__ = ("_hasher", "_pieces", "_value")

    def __init__(self, hasher: "Hasher", pieces: Sequence[bytes]) -> None:
        self._hasher = hasher
        self._pieces = pieces
        self._value = ""

    def make(self) -> None:
        digest = hashlib.sha256()
        for piece in self._pieces:
            digest.update(piece)
        self._pieces = ()
        self._value = digest.hexdigest()

    def result(self) -> str:
        """Return it, hexadecimal; waits for it."""
        with self._hasher.made:
            self._hasher.made.wait_for(lambda: self._value)
        return self._value


class Hasher:
    """Makes hashes one after the other."""

    def __init__(self) -> None:
        self.made = threading.Condition()
        self._queue: SimpleQueue[_Hash | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="hasher")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Make all that was submitted, and end the thread."""
        self._queue.put(None)
        self._thread.join()

    def submit(self, pieces: Sequence[bytes]) -> _Hash:
        """Return the SHA-256 of the pieces joined, in the making."""
        wanted = _Hash(self, pieces)
        self._queue.put(wanted)
        return wanted

    def _run(self) -> None:
        while (wanted := self._queue.get()) is not None:
            wanted.make()
            with self.made:
                self.made.notify_all()
