"""The files of the page, as they stand beside the code."""

from functools import cache
from importlib.resources import files

from shipper.telemetry.page.page import Page


@cache
def page() -> Page:
    """Return the page, read and compiled once."""
    folder = files(__package__)
    template, style, script = (
        (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", "page.js")
    )
    return Page(template, style, script)
