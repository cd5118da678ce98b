"""The operator's patterns for bodies."""

import json
import re
from collections.abc import Callable, Sequence

import re2

REPLACEMENT = "[redacted]"
Mask = Callable[[str], tuple[str, int]]
# A JSON string as it stands in a text.
_LITERAL = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
# A tool's arguments are JSON in a JSON string, and may hold JSON again.
_DEEPEST = 4


def compile_patterns(patterns: Sequence[str]) -> Mask | None:
    """Return a function that masks a text and counts its hits, or None where nothing is to be masked.

    The patterns are RE2: linear time whatever the text. Raises ``ValueError`` naming a bad one.
    """
    if not patterns:
        return None
    options = re2.Options()
    options.log_errors = False
    compiled = []
    for pattern in patterns:
        try:
            compiled.append(re2.compile(pattern, options))
        except re2.error as exc:
            raise ValueError(f"{pattern!r} is no RE2 pattern: {_reason(exc)}") from exc

    def mask(text: str) -> tuple[str, int]:
        hits = 0
        for each in compiled:
            text, count = each.subn(REPLACEMENT, text)
            hits += count
        return text, hits

    return lambda text: _mask_decoded(text, mask, 0)


def _mask_decoded(text: str, mask: Mask, depth: int) -> tuple[str, int]:
    """Mask a text as it stands, and each JSON string in it as it reads without its escapes."""
    text, hits = mask(text)
    if "\\" not in text or depth >= _DEEPEST:
        return text, hits

    def decoded(match: re.Match[str]) -> str:
        nonlocal hits
        literal = match[0]
        if "\\" not in literal:
            return literal
        try:
            plain = json.loads(literal, strict=False)
        except json.JSONDecodeError:
            return literal
        shown, count = _mask_decoded(plain, mask, depth + 1)
        hits += count
        return json.dumps(shown, ensure_ascii=False) if count else literal

    return _LITERAL.sub(decoded, text), hits


def _reason(exc: Exception) -> str:
    reason = exc.args[0] if exc.args else exc
    return reason.decode() if isinstance(reason, bytes) else str(reason)
