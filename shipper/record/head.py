"""The head of a long line: a line of the same type, small enough to read, that names the parts."""

import math
from collections.abc import Mapping
from typing import Any

import orjson

from shipper.record.envelope import Envelope

HEAD_BYTES = 8 * 1024
# Texts are cut to this many characters, those of the envelope and all others, until the head fits.
_CUTS = ((1024, 1024), (256, 256), (256, 64), (64, 16))
# The last cut keeps of the envelope only what is no container: so much always fits.
_LAST_CUT = 64
_META_FIELDS = ("ts", "machine", "host", "session", "request_id", "caller")
# Of the other members so many are kept; of a container inside a sixteenth of its texts' cut, but no fewer
# than ``_meta`` has.
_MOST_MEMBERS = 64
_CONTAINER_SHARE, _CONTAINER_LEAST = 16, 8
# Deeper than this, values are only hinted at.
_MOST_DEPTH = 4
_ELLIPSIS = "…"
# Of a line that is no JSON object, its first bytes are shown.
BEGINNING_BYTES = 1024
_WIDEST_INTEGER = 63
# What describes the parts takes less, with numbers of any length that files have.
_SPLIT_BYTES = 512
# A byte can become \u0000.
_LONGEST_ESCAPE = 6


def head_of(record: Mapping[str, Any] | None, beginning: bytes, split: Mapping[str, Any], most: int) -> bytes:
    """Return the head of a record, or of a line that is none; ``split`` describes the parts.

    ``beginning`` is the line's, of at most ``BEGINNING_BYTES``. The head has at most ``HEAD_BYTES`` and
    ``most`` bytes, and is valid JSON; short fields are as they were, long ones shortened or left out.
    """
    most = min(most, HEAD_BYTES)
    if record is None:
        shown = beginning[: (most - _SPLIT_BYTES) // _LONGEST_ESCAPE].decode("utf-8", "replace")
        return orjson.dumps({"_split": split, "beginning": shown})
    envelope = {name: record[name] for name in Envelope.__struct_encode_fields__ if name in record}
    others = [(name, value) for name, value in record.items() if name not in envelope]
    for cut, others_cut in _CUTS:
        shortened = _members(list(envelope.items()), cut) | _members(others[:_MOST_MEMBERS], others_cut)
        head = orjson.dumps({**shortened, "_split": split})
        if len(head) <= most:
            return head
    head = orjson.dumps({**_least(envelope), "_split": split})
    return head if len(head) <= most else orjson.dumps({"_split": split})


def _least(envelope: Mapping[str, Any]) -> dict[str, Any]:
    meta = envelope.get("_meta")
    told = meta if isinstance(meta, dict) else {}
    texts = [(name, told[name]) for name in _META_FIELDS if isinstance(told.get(name), str)]
    plain = [(name, value) for name, value in envelope.items() if not isinstance(value, dict | list)]
    return {"_meta": _members(texts, _LAST_CUT), **_members(plain, _LAST_CUT)}


def _members(members: list[tuple[str, Any]], cut: int, depth: int = 1) -> dict[str, Any]:
    return {_clean(name): _shorten(value, cut, depth) for name, value in members if len(name) <= cut}


def _shorten(value: Any, cut: int, depth: int) -> Any:
    match value:
        case str():
            return _shorten_text(value, cut)
        case list() | dict():
            return _shorten_container(value, cut, depth)
        case int() if value.bit_length() > _WIDEST_INTEGER:
            return _shorten_text(str(value), cut)
        case float() if not math.isfinite(value):
            return str(value)
    return value


def _shorten_container(value: list[Any] | dict[str, Any], cut: int, depth: int) -> Any:
    most = max(cut // _CONTAINER_SHARE, _CONTAINER_LEAST)
    if depth == _MOST_DEPTH:
        return _ELLIPSIS
    if isinstance(value, list):
        return [_shorten(each, cut, depth + 1) for each in value[:most]]
    return _members(list(value.items())[:most], cut, depth + 1)


def _shorten_text(text: str, cut: int) -> str:
    return _clean(text if len(text) <= cut else f"{text[:cut]}{_ELLIPSIS}")


def _clean(text: str) -> str:
    """Replace lone surrogates, which are no text in UTF-8."""
    return text.encode("utf-8", "replace").decode()
