"""A session's lines, read as a conversation; what is appended is read on."""

from collections.abc import Callable, Iterator
from typing import Protocol

from shipper.commands.fetch.conversation import Conversation, Turn
from shipper.commands.fetch.rebuild import Bodies


class Lines(Protocol):
    """The lines of a session: those that were not yielded yet, how many were, and any of them again."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield whole lines. Raises ``OSError``."""

    def __len__(self) -> int:
        """Return how many were yielded."""

    def again(self, number: int) -> bytes:
        """Return one that was yielded, the first as 0. Raises ``OSError``."""


class Reading:
    """Bodies that cannot be rebuilt are told to ``note``."""

    def __init__(self, lines: Lines, note: Callable[[str], None] = lambda _: None) -> None:
        self._lines = lines
        self._note = note
        self._bodies = Bodies(lines.again)
        self._conversation = Conversation()

    def turns(self) -> Iterator[tuple[int, Turn]]:
        """Yield the lines that were not yielded yet, each with its number from 0. Raises ``OSError``."""
        for line in self._lines:
            number = len(self._lines) - 1
            built = self._bodies.take(number, line)
            if built.trouble:
                self._note(built.trouble)
            yield number, self._conversation.turn(built.line, built.body)
