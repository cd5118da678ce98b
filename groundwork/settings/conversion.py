"""A value as found, in a file or as a text, turned into its declared kind; else a reason in plain words.

A kind is a type annotation: ``bool``, ``int``, ``float``, ``str``, a ``Literal`` of texts,
``tuple[kind, ...]`` or ``dict[kind, kind]``, each perhaps ``Annotated`` with ``msgspec.Meta`` bounds, or
with ``Written`` where people write the value in a form of its own.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_PLURAL = {int: "whole numbers", float: "numbers", str: "texts"}


@dataclass(frozen=True)
class Written:
    """Marks a kind by how it is written: ``read`` takes the value as found, and raises ``ValueError``."""

    read: Callable[[Any], Any]
    form: str


class WrongValueError(ValueError):
    """``value``, at ``place`` in the whole (``[0]``, ``.key``, or empty), is not what was ``expected``."""

    def __init__(self, place: str, value: Any, expected: str) -> None:
        super().__init__(f"expected {expected}")
        self.place = place
        self.value = value
        self.expected = expected


def from_typed(value: Any, kind: Any) -> Any:
    """Convert a value that has a type already, as in TOML. Raises ``WrongValueError``."""
    return _convert(value, kind, "", strict=True)


def from_text(text: str, kind: Any) -> Any:
    """Convert a text; a list is ``a,b``, a table ``a=1,b=2``, and either may be JSON.

    Raises ``WrongValueError``.
    """
    return _convert(_split(text, shape(kind)), kind, "", strict=False)


def shape(kind: Any) -> Any:
    """Return what stands under the annotations: ``bool``, ``int``, ``tuple``, ``dict``, ``Literal``..."""
    bare = _bare(kind)
    return get_origin(bare) or bare


def describe(kind: Any) -> str:
    """Say in plain words what a value of this kind looks like."""
    base, marks = shape(kind), _marks(kind)
    forms = [mark.form for mark in marks if isinstance(mark, Written)]
    if forms:
        return forms[0]
    if base is Literal:
        *most, last = get_args(_bare(kind))
        return f"{', '.join(most)} or {last}"
    if base is tuple:
        return f"a list of {_PLURAL[shape(_inner(kind)[0])]}"
    if base is dict:
        return f"a table of {_PLURAL[shape(_inner(kind)[1])]}{_bounds(marks)}"
    return f"{_PLAIN[base]}{_bounds(marks)}"


def _convert(value: Any, kind: Any, place: str, *, strict: bool) -> Any:
    base = shape(kind)
    found = value
    try:
        if base is tuple and isinstance(value, list):
            value = _items(value, kind, place, strict=strict)
        elif base is dict and isinstance(value, dict):
            value = _entries(value, kind, place, strict=strict)
        for mark in _marks(kind):
            value = mark.read(value) if isinstance(mark, Written) else value
        return msgspec.convert(value, kind, strict=strict)
    except WrongValueError:
        raise
    except (ValueError, msgspec.ValidationError) as exc:
        raise WrongValueError(place, found, describe(kind)) from exc


def _items(values: list[Any], kind: Any, place: str, *, strict: bool) -> tuple[Any, ...]:
    inner = _inner(kind)[0]
    return tuple(_convert(each, inner, f"{place}[{at}]", strict=strict) for at, each in enumerate(values))


def _entries(values: dict[Any, Any], kind: Any, place: str, *, strict: bool) -> dict[Any, Any]:
    name_kind, inner = _inner(kind)
    return {
        _name(name, name_kind, place): _convert(each, inner, f"{place}.{name}", strict=strict)
        for name, each in values.items()
    }


def _name(name: Any, kind: Any, place: str) -> Any:
    try:
        return _convert(name, kind, "", strict=True)
    except WrongValueError as exc:
        raise WrongValueError(f"{place} name", name, exc.expected) from exc


def _split(text: str, base: Any) -> Any:
    if base is tuple:
        return _parts(text, "[", "items separated by commas, or a JSON list")
    if base is dict:
        return _pairs(text)
    return text if base is str else text.strip()


def _parts(text: str, opening: str, expected: str) -> Any:
    if not text.lstrip().startswith(opening):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        return json.loads(text)
    except ValueError as exc:
        raise WrongValueError("", text, expected) from exc


def _pairs(text: str) -> Any:
    expected = "name=value pairs separated by commas, or a JSON object"
    parts = _parts(text, "{", expected)
    if isinstance(parts, dict):
        return parts
    pairs = [item.partition("=") for item in parts]
    if not all(equals for _, equals, _ in pairs):
        raise WrongValueError("", text, expected)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _bare(kind: Any) -> Any:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _inner(kind: Any) -> tuple[Any, ...]:
    return get_args(_bare(kind))


def _marks(kind: Any) -> tuple[Any, ...]:
    return get_args(kind)[1:] if get_origin(kind) is Annotated else ()


def _bounds(marks: tuple[Any, ...]) -> str:
    given = next((mark for mark in marks if isinstance(mark, msgspec.Meta)), msgspec.Meta())
    if given.ge is not None and given.le is not None:
        return f" from {given.ge} to {given.le}"
    if given.ge is not None:
        return f" of at least {given.ge}"
    if given.max_length is not None:
        return f" with at most {given.max_length} entries"
    return f" that matches {given.pattern}" if given.pattern is not None else ""
