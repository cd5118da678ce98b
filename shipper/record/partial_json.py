"""JSON as it is met, and what can be read of a line that is too long or too deep to be parsed whole.

Of such an object the members are read of which both ends are in sight, near its beginning or its end; a bulky
one between the two is left out. For the head of a long line, long texts are read by their beginning only.
"""

import json
import re
from typing import Any

import msgspec
import orjson

from shipper.record.content import Content

# Our records have their small fields first, the Go predecessor's had some after the body: either fits in.
END_BYTES = 64 * 1024
# A string, or the beginning of one that ends out of sight.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_MARKS = re.compile(rb"[{}\[\],]")
# What JSON consists of outside its strings.
_STRUCTURE = re.compile(rb"[\s{}\[\],:0-9eE+\-.truefalsn]*+")
# The head cuts texts to 1,024 characters; a character takes up to twelve bytes as JSON (two \\u escapes).
_LONG_BYTES = 16 * 1024
_QUOTE = ord('"')
# A text as far as its escapes are whole.
_WHOLE = re.compile(rb'"(?:[^"\\]++|\\u[0-9a-fA-F]{4}|\\[^u])*+')
_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])


def record_of(content: Content) -> dict[str, Any] | None:
    """Return the object that a line is, or the members at its ends; None for what is no object."""
    if content.held is not None:
        try:
            return parse_object(content.held)
        except RecursionError:
            pass
    return members(content.beginning(END_BYTES), content.end(END_BYTES))


def members(beginning: bytes, end: bytes) -> dict[str, Any] | None:
    """Return the members that are whole in one of an object's ends; those of the beginning win."""
    beginning, end = beginning.lstrip(), end.rstrip()
    if not (beginning.startswith(b"{") and end.endswith(b"}")):
        return None
    return {**_last_members(end), **_first_members(beginning)} or None


def _first_members(data: bytes) -> dict[str, Any]:
    """Read up to the last comma of the outermost object, or to its end."""
    depth = last = 0
    for mark in _MARKS.finditer(_without_strings(data)):
        depth += _step(mark[0])
        if depth == 0 or (depth == 1 and mark[0] == b","):
            last = mark.start()
        if depth == 0:
            break
    return _read(data[:last] + b"}") if last else {}


def _last_members(data: bytes) -> dict[str, Any]:
    """Read from the first comma of the outermost object on, whether or not the data begin in a string."""
    outside = data.lstrip(b'\\"')
    inside = _STRING.sub(b"", b'"' + outside, count=1)
    return _read_back(outside) or _read_back(inside)


def _read_back(data: bytes) -> dict[str, Any]:
    """Read what begins outside of a string; nothing where it does not."""
    skeleton = _without_strings(data)
    if not skeleton.endswith(b"}") or not _STRUCTURE.fullmatch(skeleton):
        return {}
    depth, first = 0, len(data)
    for mark in reversed(list(_MARKS.finditer(skeleton))):
        depth -= _step(mark[0])
        if depth == 0:
            return _read(data[mark.start() :])
        if depth == 1 and mark[0] == b",":
            first = mark.end()
    return _read(b"{" + data[first:])


def _step(mark: bytes) -> int:
    return 1 if mark in b"{[" else -1 if mark in b"}]" else 0


def _without_strings(data: bytes) -> bytes:
    """Return the same with zeros in place of every string, so that all else keeps its place."""
    return _STRING.sub(lambda found: b"0" * len(found[0]), data)


def _read(data: bytes) -> dict[str, Any]:
    try:
        return parse_object(data) or {}
    except RecursionError:
        return {}


def parse_object(data: bytes) -> dict[str, Any] | None:
    """Return a JSON object; None for all else. Raises ``RecursionError`` for what is nested too deep.

    Lone surrogates, which JavaScript and Python write, stay in the texts; bytes that are not UTF-8 become
    U+FFFD; numbers may be of any size.
    """
    read = parse(data)
    return read if isinstance(read, dict) else None


def parse(data: bytes) -> Any:
    """Return a JSON value, None for what is none; else as ``parse_object``."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return _parse_slowly(data)


def _parse_slowly(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except ValueError:
        return None


def beginnings_of(content: Content) -> dict[str, Any] | None:
    """Return the object that a line is, None for what is none.

    Its long texts are cut somewhere behind their 1,024th character. Raises what ``content.read`` raises.
    """
    if content.held is not None:
        try:
            return {name: _beginning(memoryview(raw)) for name, raw in _DECODER.decode(content.held).items()}
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return record_of(content)


def _beginning(raw: memoryview) -> Any:
    if len(raw) <= _LONG_BYTES or raw[0] != _QUOTE:
        return parse(bytes(raw))
    found = _WHOLE.match(bytes(raw[:_LONG_BYTES]))
    return parse((found[0] if found else b'"').decode("utf-8", "replace").encode() + b'"')
