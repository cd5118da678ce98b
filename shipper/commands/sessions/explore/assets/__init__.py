"""The files of the pages, as they stand beside the code."""

from functools import cache
from importlib.resources import files

_TEMPLATES = ("base", "sessions", "session", "call", "search")


@cache
def templates() -> dict[str, str]:
    """Return the templates by name."""
    return {f"{name}.html": text(f"{name}.html") for name in _TEMPLATES}


def text(name: str) -> str:
    """Return a file."""
    return (files(__package__) / name).read_text(encoding="utf-8")
