"""The commands of ``llm-proxy``, as typer knows them."""

import sys
from typing import Annotated, NoReturn

import typer

from groundwork.flags import Flags, SettingsCommand, settings_flags
from groundwork.keys import KEYS
from groundwork.settings import ConfigurationError, Loaded, load
from proxy.config import ProxySettings

EXIT_MACHINE, EXIT_CONFIGURATION = 1, 2

app = typer.Typer(
    name="llm-proxy",
    help="Forward LLM calls byte for byte, and put every one on record in JSONL files.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"llm-proxy {version('llm-proxy')}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(cls=SettingsCommand)
@settings_flags(ProxySettings)
def serve(flags: Flags) -> None:
    """Forward calls to their providers until SIGTERM, and append them to the files of log_dir.

    Point a client's base URL at http://127.0.0.1:12071/anthropic/api.anthropic.com, or at
    http://127.0.0.1:12071/openai/api.openai.com/v1.

    Exit codes: 0 stopped, 1 the machine does not let it start, 2 the configuration is wrong.

    Example: llm-proxy serve --log-dir ./logs
    """
    loaded = _load(flags)
    from groundwork.eventlog import start_log
    from proxy import server

    events = start_log("llm-proxy", loaded.settings.log_format)
    try:
        server.serve(loaded, events)
    except ConfigurationError as exc:
        _give_up(str(exc), EXIT_CONFIGURATION)
    except server.MachineError as exc:
        _give_up(str(exc), EXIT_MACHINE)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def health() -> None:
    """Ask the running proxy whether it is alive; exit 0 when it is, 1 when not.

    Takes --config, --host and --port.

    Example: llm-proxy health --port 12071
    """
    from proxy.probe import health as ask

    raise typer.Exit(ask(sys.argv[2:]))


def _load(flags: Flags) -> Loaded[ProxySettings]:
    try:
        return load(ProxySettings, flags.config, flags.values, KEYS)
    except ConfigurationError as exc:
        _give_up(str(exc), EXIT_CONFIGURATION)


def _give_up(text: str, code: int) -> NoReturn:
    typer.echo(f"llm-proxy: {text}", err=True)
    raise typer.Exit(code)
