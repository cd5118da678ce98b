"""The commands of ``llm-proxy``, as typer knows them."""

import sys

import typer

from groundwork.flags import Flags, SettingsCommand, settings_flags
from groundwork.program import EXIT_CONFIGURATION, EXIT_MACHINE, Program
from groundwork.settings import ConfigurationError
from proxy.config import ProxySettings

program = Program("llm-proxy", "Forward LLM calls byte for byte, and put every one on record in JSONL files.")
app = program.app


@app.command(cls=SettingsCommand)
@settings_flags(ProxySettings)
def serve(flags: Flags) -> None:
    """Forward calls to their providers until SIGTERM, and append them to the files of log_dir.

    Point a client's base URL at http://127.0.0.1:12071/anthropic/api.anthropic.com, or at
    http://127.0.0.1:12071/openai/api.openai.com/v1.

    Exit codes: 0 stopped, 1 the machine does not let it start, 2 the configuration is wrong.

    Example: llm-proxy serve --log-dir ./logs
    """
    loaded = program.load(ProxySettings, flags)
    from groundwork.eventlog import start_log
    from proxy import server

    events = start_log("llm-proxy", loaded.settings.log_format)
    try:
        server.serve(loaded, events)
    except ConfigurationError as exc:
        program.give_up(str(exc), EXIT_CONFIGURATION)
    except server.MachineError as exc:
        program.give_up(str(exc), EXIT_MACHINE)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def health() -> None:
    """Ask the running proxy whether it is alive; exit 0 when it is, 1 when not.

    Takes --config, --host and --port.

    Example: llm-proxy health --port 12071
    """
    from proxy.probe import health as ask

    raise typer.Exit(ask(sys.argv[2:]))
