"""Which of a session's bodies are written whole, and which by what is new in them."""

import hashlib
from dataclasses import dataclass, replace

from proxy.content.redact.patterns import Mask
from proxy.record.record import Bulk, Request
from proxy.recording.body import TOLD
from proxy.recording.delta.bases import MEMORY, Base, Bases, Chain, FileState, alike, nearest
from proxy.recording.delta.delta import Delta, delta_of
from proxy.recording.delta.outline import Key, Outline, outline_of

# A delta names its base and its hash in some 150 bytes, which shorter bodies do not save.
_WORTH_IT = 512
# Deltas that a reader goes through at most until the whole body that they begin with.
DEEPEST = 256
# After so many deltas, or so much new text, the next goes back to where they began and repeats it. So new
# text is on record twice at most, and a reader goes through one delta of so many.
_STRIDE = 24
_STRIDE_BYTES = 128 << 10
# What it repeats at most: with it the line stays below the 256 KiB that Loki takes.
_REPEATED = 176 << 10


@dataclass(frozen=True, slots=True)
class _Told:
    """A text by what is new in it; ``is_anchor`` says that later ones go back to it."""

    base: Base
    delta: Delta
    is_anchor: bool = False

    def chain(self, seq: int) -> Chain:
        """Return where the text stands, as the body of the request ``seq``."""
        before, new = self.base.chain, self.delta.new
        depth = before.depth + 1
        if self.is_anchor:
            return Chain(before.whole, depth, before.new + new, anchor=seq)
        return Chain(
            before.whole, depth, before.new + new, before.anchor, before.steps + 1, before.near + new
        )


class Shortening:
    """Takes the requests of all sessions in the order of their files; belongs to one thread."""

    def __init__(self, mask: Mask | None = None, memory: int = MEMORY, key: Key = hash) -> None:
        """``mask`` is what bodies are masked with; ``memory`` in bytes bounds what is remembered."""
        self._mask = mask
        self._key = key
        self._bases = Bases(memory)

    @property
    def memory(self) -> int:
        """About how many bytes the bodies remembered take."""
        return self._bases.cost

    def flushed(self) -> None:
        """Note that all requests so far are in their files."""
        self._bases.flushed()

    def forget(self, session: str) -> None:
        """Write the session's next body whole, as records of it may be missing."""
        self._bases.forget(session)

    def shorten(self, request: Request, file: FileState) -> Request:
        """Return a request with its body by what is new in it, where that is shorter; else as it is.

        ``file`` is its session's as it is now.
        """
        body = request.body
        if not isinstance(body, Bulk) or body.text is None or not _WORTH_IT <= len(body.text) <= TOLD:
            return request
        session, text = request.meta.session, body.text
        self._bases.see(session, file)
        parent = self._bases.find(session, request.history.parent) if request.history else None
        told, outline = self._told(session, parent, text)
        sha256 = body.sha256 or hashlib.sha256(text).hexdigest()
        written = self._written(told, sha256) if told is not None else None
        whole = Chain(len(text), anchor=request.seq)
        chain = told.chain(request.seq) if told is not None and written else whole
        self._bases.add(session, file, Base(request.seq, outline, chain), parent)
        return request if written is None else replace(request, body=Bulk("body_delta", (written,)))

    def _told(self, session: str, parent: Base | None, text: bytes) -> tuple[_Told | None, Outline]:
        """Return a text by what is new in it, where it has much in common with a base, and its outline."""
        base = parent or nearest(text, self._bases.latest(session), self._key)
        if base is None:
            outline = outline_of(text, self._key)
            base = alike(outline, self._bases.latest(session))
            if base is None:
                return None, outline
        outline, delta = delta_of(text, base.outline, self._key)
        if delta is None:
            return None, outline_of(text, self._key)
        return self._anchored(session, _Told(base, delta)), outline

    def _anchored(self, session: str, told: _Told) -> _Told:
        """Go back to the anchor of the base, where that is far enough away and not too far."""
        chain, delta = told.base.chain, told.delta
        if chain.steps + 1 < _STRIDE and chain.near + delta.new <= _STRIDE_BYTES:
            return told
        anchor = self._bases.find(session, chain.anchor)
        repeated = chain.near + delta.new
        if anchor is not None and repeated <= min(_REPEATED, len(delta.text) * 2 // 5):
            repeating = delta_of(delta.text, anchor.outline, self._key)[1]
            if repeating is not None:
                return _Told(anchor, repeating, is_anchor=True)
        return replace(told, is_anchor=True)

    def _written(self, told: _Told, sha256: str) -> bytes | None:
        """Return the delta as it is written; None where the body is to be written whole."""
        chain, delta = told.base.chain, told.delta
        size = len(delta.text)
        grown = max(0, size - chain.whole)
        if chain.depth >= DEEPEST or delta.new > size // 2 or chain.new + delta.new - grown >= size:
            return None
        if self._mask is not None and any(self._mask(text.decode())[1] for text in delta.texts):
            # The text is masked; but where a piece of it begins or ends, a pattern may see an edge and hit.
            return None
        written = delta.encode(told.base.seq, sha256)
        return written if len(written) <= size // 2 else None
