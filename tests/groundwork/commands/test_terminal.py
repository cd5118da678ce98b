import io
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.table import Table
from rich.text import Text

from groundwork.commands.terminal import PrintedBytes, Terminal

ATTACK = "\x1b]52;c;eA==\x07\x9b31m\u202e"


class Tty(io.TextIOWrapper):
    """A terminal in memory."""

    def isatty(self) -> bool:
        return True


@contextmanager
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tty]:
    """Put a terminal in the place of stdout; pytest puts its own there when a test begins."""
    tty = Tty(io.BytesIO(), encoding="utf-8", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", tty)
        patch.setenv("TERM", "xterm")
        patch.delenv("NO_COLOR", raising=False)
        yield tty


def written(tty: Tty) -> str:
    assert isinstance(tty.buffer, io.BytesIO)
    return tty.buffer.getvalue().decode()


def test_texts_steer_nothing_and_styles_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table()
    table.add_column(ATTACK)
    table.add_row(Text(ATTACK, style="red"))

    with shown(monkeypatch) as tty:
        Terminal().print(table, ATTACK)

    assert "\x1b[31m" in written(tty)
    assert not any(each in written(tty) for each in ("\x1b]", "\x07", "\x9b", "\u202e"))


def test_bytes_on_a_terminal_are_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    with shown(monkeypatch) as tty:
        PrintedBytes().write(f'{{"a":"{ATTACK}"}}\n'.encode())

    assert written(tty) == '{"a":"\\u001b]52;c;eA==\\u0007\\u009b31m\\u202e"}\n'
