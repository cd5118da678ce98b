"""The commands of ``llm-loki-ship``, as typer knows them."""

import sys
from typing import Annotated, NoReturn

import typer

from groundwork.flags import Flags, SettingsCommand, settings_flags
from groundwork.keys import KEYS
from groundwork.settings import ConfigurationError, Loaded, load
from shipper.cli import EXIT_CONFIGURATION, EXIT_MACHINE
from shipper.config import ShipperSettings

app = typer.Typer(
    name="llm-loki-ship",
    help="Follow the JSONL files of llm-proxy and push their lines to Grafana Loki.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"llm-loki-ship {version('llm-proxy')}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def run(flags: Flags) -> None:
    """Follow the log folder until SIGTERM, then deliver what is left.

    Exit codes: 0 all was delivered, 1 the machine does not let it start, 2 the configuration is wrong,
    3 time was up with bytes unshipped.

    Example: llm-loki-ship run --log-dir ./logs --loki-enabled --loki-url http://loki:3100/loki/api/v1/push
    """
    from groundwork.eventlog import start_log
    from shipper.metrics import Metrics
    from shipper.reporter import Event, Reporter
    from shipper.service import Service, StartError

    loaded = _load(flags)
    log = start_log("llm-loki-ship", loaded.settings.log_format)
    for warning in loaded.warnings:
        Reporter(log, Metrics()).report(Event.SETTING_IGNORED, warning=warning)
    try:
        code = Service(loaded.settings, log).run()
    except StartError as exc:
        _give_up(str(exc), EXIT_MACHINE)
    raise typer.Exit(code)


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def status(flags: Flags) -> None:
    """Say how far delivery has come: from the running shipper, else from the checkpoint.

    Example: llm-loki-ship status --log-dir ./logs
    """
    from shipper.progress import describe

    typer.echo(describe(_load(flags).settings))


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def health(
    delivery: Annotated[bool, typer.Option("--delivery", help="Also fail when delivery fails.")] = False,
) -> None:
    """Ask the running shipper whether it is alive; exit 0 when it is, 1 when not.

    Example: llm-loki-ship health --delivery
    """
    from shipper.probe import health as ask

    raise typer.Exit(ask([*sys.argv[2:], *(["--delivery"] if delivery else [])]))


def _load(flags: Flags) -> Loaded[ShipperSettings]:
    try:
        return load(ShipperSettings, flags.config, flags.values, KEYS)
    except ConfigurationError as exc:
        _give_up(str(exc), EXIT_CONFIGURATION)


def _give_up(text: str, code: int) -> NoReturn:
    typer.echo(f"llm-loki-ship: {text}", err=True)
    raise typer.Exit(code)
