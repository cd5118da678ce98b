"""The commands of ``llm-proxy``, as typer knows them."""

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from groundwork.commands.program import EXIT_CONFIGURATION, EXIT_MACHINE, Program
from groundwork.settings.flags import Flags, SettingsCommand, settings_flags
from groundwork.settings.settings import ConfigurationError
from groundwork.text import printable
from proxy.config import ProxySettings

if TYPE_CHECKING:
    from proxy.commands.status import Standing

program = Program("llm-proxy", "Forward LLM calls byte for byte and record them in JSONL files.")
app = program.app


@app.command(cls=SettingsCommand)
@settings_flags(ProxySettings)
def serve(flags: Flags) -> None:
    """Forward calls to their providers and record them in log_dir, until SIGTERM.

    Point a client's base URL at http://127.0.0.1:12071/anthropic/api.anthropic.com, or at
    http://127.0.0.1:12071/openai/api.openai.com/v1.

    Exit codes: 0 stopped, 1 a problem of the machine prevents the start, 2 the configuration is invalid.

    Example: llm-proxy serve --log-dir ./logs
    """
    loaded = program.load(ProxySettings, flags)
    from groundwork.eventlog import start_log
    from proxy.server import server

    events = start_log("llm-proxy", loaded.settings.log_format)
    try:
        server.serve(loaded, events)
    except ConfigurationError as exc:
        program.give_up(str(exc), EXIT_CONFIGURATION)
    except server.MachineError as exc:
        program.give_up(str(exc), EXIT_MACHINE)


@app.command(cls=SettingsCommand)
@settings_flags(ProxySettings)
def env(
    flags: Flags,
    shell: Annotated[
        Literal["sh", "fish"], typer.Option(help="The shell's syntax: sh (also bash and zsh) or fish.")
    ] = "sh",
    if_running: Annotated[
        bool, typer.Option("--if-running", help="Print nothing if the proxy is not running.")
    ] = False,
) -> None:
    """Print the variables that point a shell's clients at the proxy.

    In a shell's start-up file, use --if-running: if the proxy is not running, clients call their providers.

    Exit codes: 0 printed, 1 the proxy does not answer (printed anyway, except with --if-running), 2 the
    configuration is invalid.

    Example: eval "$(llm-proxy env)"
    """
    from proxy.commands.env import base_url, exports_of, notes_of

    loaded = program.load(ProxySettings, flags)
    settings = loaded.settings
    if not settings.port:
        program.give_up(
            f"port = 0 ({loaded.origins['port']}): a fixed one is needed here", EXIT_CONFIGURATION
        )
    tls = bool(settings.tls.cert_file)
    trouble = _trouble_at(settings.host, settings.port, tls=tls)
    if trouble and if_running:
        return
    base = base_url(settings.host, settings.port, tls=tls)
    typer.echo(printable("\n".join(exports_of(base, settings.proxy_token, shell))))
    if sys.stdout.isatty():
        for note in notes_of(base, settings.proxy_token):
            typer.echo(printable(f"# {note}"), err=True)
    if trouble:
        program.give_up(f"{trouble}; start it with llm-proxy serve", EXIT_MACHINE)


def _trouble_at(host: str, port: int, *, tls: bool) -> str:
    """Tell why no llm-proxy answers there; empty where one does."""
    from json import JSONDecodeError, loads

    from groundwork.commands.probe import Unanswered, ask

    try:
        told = loads(ask(host, port, "/health", tls=tls)[1])
    except Unanswered as exc:
        return str(exc)
    except (JSONDecodeError, UnicodeDecodeError):
        told = None
    known = isinstance(told, dict) and {"status", "version", "uptime_seconds"} <= told.keys()
    return "" if known else f"what answers at {host}:{port} is not llm-proxy"


@app.command(cls=SettingsCommand)
@settings_flags(ProxySettings)
def status(
    flags: Flags,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Show the state of the proxy: calls by provider and status, records, queue and free disk.

    The state is running, failing (it runs but cannot write records), stopped, or foreign (another program
    uses its port).

    Exit codes: 0 running, 1 anything else, 2 the configuration is invalid.

    Example: llm-proxy status --json
    """
    from json import dumps

    from groundwork.commands.terminal import Terminal
    from proxy.commands import status as told

    settings = program.load(ProxySettings, flags).settings
    standing = _standing(settings.host, settings.port, tls=bool(settings.tls.cert_file))
    if as_json:
        typer.echo(printable(dumps(told.as_json(standing), indent=2)))
    else:
        Terminal().print(told.shown(standing))
    raise typer.Exit(0 if standing.state == "running" else EXIT_MACHINE)


def _standing(host: str, port: int, *, tls: bool) -> "Standing":
    from json import JSONDecodeError, loads

    from groundwork.commands.probe import Unanswered, ask
    from proxy.commands.env import base_url
    from proxy.commands.status import Standing, standing_of

    url = base_url(host, port, tls=tls)
    try:
        health = ask(host, port, "/health", tls=tls)[1]
        status, metrics = ask(host, port, "/metrics", tls=tls)
    except Unanswered as exc:
        return Standing(url, "stopped", f"{exc}; start it with llm-proxy serve")
    try:
        return standing_of(url, loads(health), (status, metrics.decode(errors="replace")))
    except (JSONDecodeError, UnicodeDecodeError):
        return standing_of(url, None, (0, ""))


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def health() -> None:
    """Check whether the proxy is alive; exit 0 if it is, 1 if it is not.

    Accepts --config, --host and --port.

    Example: llm-proxy health --port 12071
    """
    from proxy.commands.probe import health as ask

    raise typer.Exit(ask(sys.argv[2:]))
