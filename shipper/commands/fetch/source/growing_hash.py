"""SHA-256 of texts that begin as the one before, in the time of what is new in them."""

import hashlib

from groundwork.utf8 import is_text
from shipper.commands.fetch.source.repeated import common

# So much of a body's end changes with each call: cache markers, and what stands behind the messages.
_TAIL = 64 << 10
_CONTINUATION, _CONTINUATION_MASK = 0x80, 0xC0


class GrowingHash:
    """Hashes a text from where it differs from the last one on, or else from its beginning."""

    def __init__(self) -> None:
        self._last = b""
        self._begun = hashlib.sha256()
        self._at = 0

    def of(self, body: bytes) -> str:
        """Return the hash of a text, as hexadecimal digits; empty where it is no UTF-8."""
        shared = common(self._last, body)
        # From where the last character begins that both have, which may go on in another way.
        start = max(0, shared - 1)
        while start and body[start] & _CONTINUATION_MASK == _CONTINUATION:
            start -= 1
        if not is_text(body[start:]):
            return ""
        if shared < self._at:
            self._begun, self._at = hashlib.sha256(), 0
        view = memoryview(body)
        end = max(self._at, shared - _TAIL)
        self._begun.update(view[self._at : end])
        self._last, self._at = body, end
        whole = self._begun.copy()
        whole.update(view[end:])
        return whole.hexdigest()
