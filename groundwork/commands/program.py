"""What the command lines of both programs share: version, settings, errors, the name of the machine."""

import getpass
import resource
import socket
from typing import Annotated, NoReturn, TypeVar

import typer

from groundwork.settings.flags import Flags
from groundwork.settings.keys import KEYS
from groundwork.settings.settings import ConfigurationError, Loaded, load
from groundwork.settings.units import parse_duration
from groundwork.text import printable

EXIT_MACHINE, EXIT_CONFIGURATION = 1, 2

T = TypeVar("T")


class Program:
    """One program by its name; ``app`` is its typer application, which knows ``--version``."""

    def __init__(self, name: str, help_text: str) -> None:
        self._name = name
        self.app = typer.Typer(
            name=name,
            help=help_text,
            no_args_is_help=True,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
        )
        option = typer.Option(
            "--version", callback=self._tell_version, is_eager=True, help="Print the version."
        )

        @self.app.callback()
        def top(*, version: Annotated[bool, option] = False) -> None:
            pass

    def load(self, schema: type[T], flags: Flags) -> Loaded[T]:
        """Return the settings; a wrong value ends the program with one line and exit code 2."""
        try:
            return load(schema, flags.config, flags.values, KEYS)
        except ConfigurationError as exc:
            self.give_up(str(exc), EXIT_CONFIGURATION)

    def span(self, option: str, text: str) -> float:
        """Return the seconds of an option that is a duration; an invalid one ends the program."""
        try:
            return parse_duration(text)
        except ValueError as exc:
            self.give_up(f"{option} {text!r}: {exc}", EXIT_CONFIGURATION)

    def give_up(self, text: str, code: int) -> NoReturn:
        """End the program with one line on stderr."""
        self.complain(text)
        raise typer.Exit(code)

    def complain(self, text: str) -> None:
        """Write one line to stderr."""
        typer.echo(printable(f"{self._name}: {text}"), err=True)

    def _tell_version(self, asked: bool) -> None:  # noqa: FBT001 - typer's callback
        if asked:
            from importlib.metadata import version  # noqa: PLC0415 - only where it is asked for

            typer.echo(printable(f"{self._name} {version('llm-proxy')}"))
            raise typer.Exit


def forbid_dumps() -> None:
    """Have the kernel write no core file of this process: keys and conversations would stand in it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def machine_name() -> str:
    """Return ``user@hostname``, the machine's name in records and labels."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname() or 'unknown'}"
