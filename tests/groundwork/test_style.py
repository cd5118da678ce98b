import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from groundwork.style import NO_BREAK, Style
from tests.process import clean_environment

TEXT = "one two three four five six seven eight nine ten eleven twelve thirteen"


@pytest.mark.parametrize("width", [1, 60, 80, 200, 1000])
def test_a_row_is_as_wide_as_allowed_and_its_text_stands_at_one_place(width: int) -> None:
    style = Style(width)
    lines = style.row("label", f"{TEXT} {TEXT} {TEXT} {TEXT}", 12).splitlines()

    assert max(map(len, lines)) <= style.columns == min(max(width, 60), 200)
    assert lines[0].startswith("label       one two")
    assert all(each.startswith(" " * 12 + each.strip()) for each in lines[1:])


def test_a_row_breaks_at_no_no_break_space() -> None:
    text = " ".join(f"429{NO_BREAK}{number}" for number in range(30))

    lines = Style(60).row("", text, 12).splitlines()

    assert len(lines) > 1
    assert all(each.strip().startswith("429 ") for each in lines)


def test_a_label_that_is_too_long_keeps_a_space() -> None:
    assert Style().row("a label", "text", 3) == "a label text"


def test_colours_are_where_they_are_wanted() -> None:
    assert Style().paint("word", "red") == "word"
    assert Style(coloured=True).paint("word", None) == "word"
    assert Style(coloured=True).paint("word", "red") == "\x1b[31mword\x1b[0m"


_ASK = "from groundwork.terminal import style; print(style().coloured, style().columns)"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({}, "True"),
        ({"NO_COLOR": ""}, "True"),
        ({"NO_COLOR": "1"}, "False"),
        ({"TERM": "dumb"}, "False"),
    ],
)
def test_a_terminal_has_colours_unless_told_otherwise(env: dict[str, str], told: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = clean_environment(tmp_path, {"TERM": "xterm", "COLUMNS": "100", **env})
    subprocess.run([sys.executable, "-c", _ASK], stdout=theirs, env=environment, check=True, timeout=20)

    assert os.read(ours, 1000).decode().split() == [told, "100"]
    os.close(ours)
    os.close(theirs)


def test_a_file_has_no_colours(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path, {"TERM": "xterm"})
    done = subprocess.run(
        [sys.executable, "-c", _ASK], env=environment, capture_output=True, text=True, check=True, timeout=20
    )

    assert done.stdout.split()[0] == "False"
