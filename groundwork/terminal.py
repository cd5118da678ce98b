"""The terminal that this process writes to."""

import os
import shutil
import sys

from groundwork.style import Style


def style() -> Style:
    """Return what fits stdout: colours on a terminal only, and none where NO_COLOR is set (no-color.org)."""
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Style(shutil.get_terminal_size().columns, coloured)
