"""What travels through the fake: entries, and label sets with their text."""

import functools
import re
from itertools import chain
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]
"""Sorted by name; hashable, so that it is a stream's identity."""


class Entry(NamedTuple):
    """One line. ``ts`` is in nanoseconds, ``metadata`` in the order sent until it is sanitised and sorted."""

    ts: int
    line: str
    metadata: Labels = ()


class Stream(NamedTuple):
    """What a push holds for one label set."""

    labels: Labels
    entries: list[Entry]


class Shard(NamedTuple):
    """What reaches the ingester: entries with their sizes, and the labels before sharding."""

    labels: Labels
    unsharded: Labels
    entries: list[tuple[Entry, int]]


class LabelError(ValueError):
    """A label set that Loki cannot read; the text is Loki's."""


class MetadataNameError(ValueError):
    """A metadata name of which nothing is left; the text is Loki's."""


_PAIR = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*|"(?:[^"\\]|\\.)+")\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*(,|$)')
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SINGLE = {
    "\\": "\\",
    '"': '"',
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}
_SURROGATES = range(0xD800, 0xE000)


def byte_length(text: str) -> int:
    """Return the length in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def metadata_size(metadata: Labels) -> int:
    """Return the bytes of names and values, as Loki's limits count them."""
    return byte_length("".join(chain.from_iterable(metadata)))


def entry_size(entry: Entry) -> int:
    """Return the bytes of line and metadata, as Loki's rate limits count them."""
    return byte_length(entry.line) + metadata_size(entry.metadata)


def label_text(labels: Labels) -> str:
    """Return the canonical text: sorted, Go-quoted."""
    return "{" + ", ".join(f"{name}={quoted(value)}" for name, value in labels) + "}"


def quoted(value: str) -> str:
    """Return a Go string literal."""
    value = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + value.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def parse_labels(text: str) -> Labels:
    """Read ``{a="b", c="d"}``; empty values are dropped. Raises ``LabelError``."""
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")):
        raise LabelError(f"couldn't parse labels: 1:1: parse error: unexpected {stripped[:20]!r}")
    body, found, position = stripped[1:-1], [], 0
    while body[position:].strip():
        pair = _PAIR.match(body, position)
        if pair is None:
            raise LabelError(f"couldn't parse labels: 1:{position + 2}: parse error: unexpected character")
        found.append((pair[1], unquoted(pair[2])))
        position = pair.end()
    return tuple(sorted((name, value) for name, value in found if value))


def unquoted(literal: str) -> str:
    """Undo Go's escapes. Raises ``LabelError`` for those that Go does not know."""
    return _ESCAPE.sub(lambda found: _unescaped(found[1]), literal) if "\\" in literal else literal


def _unescaped(escape: str) -> str:
    if escape in _SINGLE:
        return _SINGLE[escape]
    if escape[0] in "xuU" and len(escape) > 1:
        code = int(escape[1:], 16)
        if code not in _SURROGATES:
            return chr(code)
    raise LabelError("couldn't parse labels: 1:2: parse error: unknown escape sequence")


@functools.cache
def sanitised_name(name: str) -> str:
    """Return a metadata name as Loki stores it (otlptranslator/strconv.go). Raises ``MetadataNameError``."""
    if not name:
        raise MetadataNameError("label name is empty")
    if name.startswith("__") and name.endswith("__") and name[2:-2].isalnum() and name.isascii():
        return name
    made = re.sub(r"[^A-Za-z0-9]+", "_", name)
    if made == "_":
        raise MetadataNameError(f'normalization for label name "{name}" resulted in invalid name "{made}"')
    return f"key_{made}" if made[0].isdigit() else made
