"""JSON that comes from outside: any field may be absent, or of any kind."""

import json
import math
from collections.abc import Hashable, Iterator
from typing import Any

import orjson

Json = dict[str, Any]

# What a metadata value of Loki's holds; names and ids that are longer are no names.
_LONGEST_NAME = 1024
# Above this a count is no count of tokens, and no number that every reader of JSON takes.
_LARGEST_COUNT = 2**53
# orjson reads integers of 64 bits, signed or not, as such, and larger ones as floating point.
_HALF = 2**63
_EXACT = 1e20
_DECODER = json.JSONDecoder()


def parse(text: bytes | str) -> Any:
    """Return a JSON value; None for what is none, or is nested deeper than any conversation.

    What other languages write is read too: lone surrogates, ``NaN`` and numbers of any size. Bytes that are
    not UTF-8 become U+FFFD.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(
            text if isinstance(text, str) else text.decode("utf-8", "replace"), parse_int=_integer
        )
    except (ValueError, RecursionError):
        return None


def _integer(digits: str) -> float:
    """Read an integer as orjson does, so that both readers of a text see one value."""
    number = float(digits)
    return int(digits) if abs(number) < _EXACT and -_HALF <= int(digits) < 2 * _HALF else number


def parse_object(text: bytes | str) -> Json | None:
    """Return a JSON object, or None for anything else; as ``parse``."""
    document = parse(text)
    return document if isinstance(document, dict) else None


def values(text: str) -> Iterator[tuple[Any, int]]:
    """Yield the values of a list that broke off, or of lines, each with the place where it ends.

    The first that is not whole ends them.
    """
    at = 0
    while True:
        while at < len(text) and text[at] in "[], \t\r\n\ufeff":
            at += 1
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield value, at


def written(value: Any) -> str:
    """Return a value as JSON, also one that only ``parse`` reads."""
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError):
        return json.dumps(value, separators=(",", ":"))


def text_in(holder: Json, name: str) -> str | None:
    """Return a name, an id or a short text as UTF-8 has it; None where there is none."""
    value = holder.get(name)
    if not isinstance(value, str) or not value:
        return None
    return value[:_LONGEST_NAME].encode("utf-8", "replace").decode()


def object_in(holder: Json, name: str) -> Json:
    """Return an object, empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def objects_in(holder: Json, name: str) -> list[Json]:
    """Return the objects of a list, none where there is no list."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def count_in(holder: Json, name: str) -> int | None:
    """Return a count, which some servers write as a float; None where there is none."""
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and 0 <= value <= _LARGEST_COUNT else None


def place_in(holder: Json, name: str) -> Hashable:
    """Return a number or a name that tells one place from another; None where there is none."""
    value = holder.get(name)
    return value if isinstance(value, int | str) else None
