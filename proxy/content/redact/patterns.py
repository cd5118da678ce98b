"""The operator's patterns for bodies."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import re2

REPLACEMENT = "[redacted]"
Mask = Callable[[str], tuple[str, int]]
# A JSON string as it stands in a text, or what is there of one that broke off.
_LITERAL = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
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
        try:
            return _replaced(text, compiled)
        except UnicodeEncodeError:  # RE2 reads UTF-8, which has no lone surrogates
            masked, hits = _replaced(_utf8(text), compiled)
            return (masked, hits) if hits else (text, 0)

    return lambda text: _mask_decoded(text, mask, 0)


def _mask_decoded(text: str, mask: Mask, depth: int) -> tuple[str, int]:
    """Mask a text as it stands, and each JSON string in it as it reads without its escapes."""
    text, hits = mask(text)
    if "\\" not in text or depth >= _DEEPEST:
        return text, hits

    def decoded(match: re.Match[str]) -> str:
        nonlocal hits
        literal = match[0]
        plain = _decoded(literal) if "\\" in literal else None
        if plain is None:
            return literal
        shown, count = _mask_decoded(plain, mask, depth + 1)
        hits += count
        return json.dumps(_utf8(shown), ensure_ascii=False) if count else literal

    return _LITERAL.sub(decoded, text), hits


def _replaced(text: str, patterns: Sequence[Any]) -> tuple[str, int]:
    hits = 0
    for each in patterns:
        text, count = each.subn(REPLACEMENT, text)
        hits += count
    return text, hits


def _decoded(literal: str) -> str | None:
    """Return what a JSON string says, None where it is none."""
    for text in (literal, _HALF_ESCAPE.sub("", literal) + '"'):
        with suppress(json.JSONDecodeError):
            return str(json.loads(text, strict=False))
    return None


def _utf8(text: str) -> str:
    """Return a text with U+FFFD for each lone surrogate, and halves that make a pair joined."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _reason(exc: Exception) -> str:
    reason = exc.args[0] if exc.args else exc
    return reason.decode() if isinstance(reason, bytes) else str(reason)
