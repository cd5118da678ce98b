"""JSON that comes from outside: any field may be absent or of any kind."""

from typing import Any

import orjson

Json = dict[str, Any]


def parse_object(text: bytes | str) -> Json | None:
    """Return a JSON object, or None for anything else."""
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def text_in(holder: Json, name: str) -> str:
    """Return a text, empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, str) else ""


def number_in(holder: Json, name: str) -> int:
    """Return a whole number, 0 where there is none."""
    value = holder.get(name)
    return value if isinstance(value, int) else 0


def object_in(holder: Json, name: str) -> Json:
    """Return an object, empty where there is none."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def objects_in(holder: Json, name: str) -> list[Json]:
    """Return the objects of a list, none where there is no list."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
