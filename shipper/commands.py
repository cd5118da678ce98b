"""The commands of ``llm-loki-ship``, as typer knows them."""

import sys
from typing import Annotated

import typer

from groundwork.flags import Flags, SettingsCommand, settings_flags
from groundwork.program import EXIT_MACHINE, Program
from shipper.config import ShipperSettings

program = Program(
    "llm-loki-ship", "Follow the JSONL files of llm-proxy and push their lines to Grafana Loki."
)
app = program.app


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

    loaded = program.load(ShipperSettings, flags)
    log = start_log("llm-loki-ship", loaded.settings.log_format)
    for warning in loaded.warnings:
        Reporter(log, Metrics()).report(Event.SETTING_IGNORED, warning=warning)
    try:
        code = Service(loaded.settings, log).run()
    except StartError as exc:
        program.give_up(str(exc), EXIT_MACHINE)
    raise typer.Exit(code)


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def status(flags: Flags) -> None:
    """Say how far delivery has come: from the running shipper, else from the checkpoint.

    Example: llm-loki-ship status --log-dir ./logs
    """
    from shipper.progress import describe

    typer.echo(describe(program.load(ShipperSettings, flags).settings))


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def health(
    delivery: Annotated[bool, typer.Option("--delivery", help="Also fail when delivery fails.")] = False,
) -> None:
    """Ask the running shipper whether it is alive; exit 0 when it is, 1 when not.

    Example: llm-loki-ship health --delivery
    """
    from shipper.probe import health as ask

    raise typer.Exit(ask([*sys.argv[2:], *(["--delivery"] if delivery else [])]))
