"""What can be read of a line: all of it, or of an object too long or too deep for that, what its ends tell.

A member of which both ends are in sight is read; a bulky one between the two is left out.
"""

import re
from typing import Any

from shipper.record.content import Content
from shipper.record.parse import parse_object

# Our records have their small fields first, the Go predecessor's had some after the body: either fits in.
END_BYTES = 64 * 1024
# A string, or the beginning of one that ends out of sight.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_MARKS = re.compile(rb"[{}\[\],]")
# What JSON consists of outside its strings.
_STRUCTURE = re.compile(rb"[\s{}\[\],:0-9eE+\-.truefalsn]*+")


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
