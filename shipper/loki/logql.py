"""LogQL's syntax. Its strings are Go's (``pkg/logql/syntax/lexer.go``)."""

import re

from shipper.entry import Pairs

_SPECIAL = re.compile(r'[\\"\x00-\x1f\x7f]')


def quoted(text: str) -> str:
    """Return a text as a LogQL string."""
    return '"' + _SPECIAL.sub(lambda found: _ESCAPES.get(found[0]) or f"\\x{ord(found[0]):02x}", text) + '"'


_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n"}


def selector(labels: Pairs) -> str:
    """Return a selector of all streams with these labels; a protobuf push names its stream the same way."""
    return "{" + ", ".join(f"{name}={quoted(value)}" for name, value in labels) + "}"
