"""The commands of ``llm-loki-ship``, as typer knows them."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer

from groundwork.commands.program import EXIT_CONFIGURATION, EXIT_MACHINE, Program
from groundwork.eventlog import EventLog
from groundwork.settings.flags import Flags, SettingsCommand, settings_flags
from groundwork.settings.settings import Loaded
from groundwork.text import printable
from shipper.commands.delivery.commands import add_commands
from shipper.commands.run.resend import add_command as add_resend
from shipper.config import ShipperSettings

program = Program(
    "llm-loki-ship", "Follow the JSONL files of llm-proxy and push their lines to Grafana Loki."
)
app = program.app
add_commands(program)
add_resend(program)


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def run(
    flags: Flags,
    once: Annotated[bool, typer.Option("--once", help="Ship everything that is there, then exit.")] = False,
    since: Annotated[
        str,
        typer.Option(
            metavar="DURATION", help="With --once: skip files that were not written within this time."
        ),
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --once: show what would be pushed, but send nothing.")
    ] = False,
) -> None:
    """Follow the log folder until SIGTERM, then deliver the rest.

    With --once, the command exits at the end of every file. It waits while Loki is down. After Ctrl-C, the
    next run delivers the rest, and also the files that --since skipped. A last line without a newline is sent
    too, unless an llm-proxy is still writing to the folder.

    Exit codes: 0 everything was delivered, 1 a problem of the machine prevents the start, 2 the configuration
    is invalid, 3 the time was up before everything was delivered, or, with --once, some lines are rejected.

    Example: llm-loki-ship run --log-dir ./logs --loki-enabled --loki-url http://loki:3100/loki/api/v1/push
    """
    from groundwork.eventlog import start_log
    from shipper.commands.run.service import Service
    from shipper.commands.run.surroundings.descriptors import prepare_process
    from shipper.commands.run.surroundings.port import StartError

    loaded = program.load(ShipperSettings, flags)
    since_ns = int((time.time() - program.span("--since", since)) * 1e9) if since else 0
    if (since or dry_run) and not once:
        program.give_up("--since and --dry-run go with --once", EXIT_CONFIGURATION)
    if once:
        loaded = _for_once(loaded)
    if dry_run:
        from shipper.commands.run.dry_run import DryRun

        typer.echo(printable("\n".join(DryRun(loaded.settings, since_ns).run())))
        return
    prepare_process()
    log = start_log("llm-loki-ship", loaded.settings.log_format)
    try:
        code = _run_once(loaded, log, since_ns) if once else Service(loaded, log).run()
    except StartError as exc:
        program.give_up(str(exc), exc.code)
    raise typer.Exit(code)


def _for_once(loaded: Loaded[ShipperSettings]) -> Loaded[ShipperSettings]:
    from shipper.commands.run.progress import settings_for
    from shipper.loki.connect import UnusableError

    folder = loaded.settings.log_folder
    if not folder.is_dir():
        program.give_up(
            f"log_dir = {str(folder)!r} ({loaded.origins['log_dir']}): no such folder", EXIT_MACHINE
        )
    try:
        return settings_for(loaded)
    except UnusableError as exc:
        program.give_up(str(exc), EXIT_CONFIGURATION)


def _run_once(loaded: Loaded[ShipperSettings], log: EventLog, since_ns: int) -> int:
    from shipper.commands.run.progress import RunProgress
    from shipper.commands.run.service import Service

    with RunProgress() as progress:
        code = Service(loaded, log, progress.show, since_ns).run()
    progress.summarise()
    return code


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def status(
    flags: Flags,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,
) -> None:
    """Show the progress of delivery, from the running shipper or else from the checkpoint.

    Files that need attention are listed first. The JSON is that of /status on the health port.

    Exit codes: 0 the shipper runs and is healthy, or export is disabled, 1 it does not run or delivery fails,
    2 the configuration is invalid.

    Example: llm-loki-ship status --log-dir ./logs --watch
    """
    from shipper.commands.status.status import is_well, print_state, state_now, watch_state

    settings = program.load(ShipperSettings, flags).settings
    if watch:
        watch_state(settings, as_json=as_json)
        return
    report = state_now(settings)
    print_state(report, as_json=as_json)
    raise typer.Exit(0 if is_well(report) else EXIT_MACHINE)


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def check(
    flags: Flags,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """Check everything between the log folder and Loki, and suggest fixes.

    Shows each setting with its origin, and checks both folders and the connection to Loki. It pushes one test
    entry (log_type = check) and reads it back. You can run it while a shipper is running.

    Exit codes: 0 lines can reach Loki, 1 a check failed, 2 the configuration is invalid.

    Example: llm-loki-ship check --log-dir ./logs --loki-enabled --loki-url http://loki:3100/loki/api/v1/push
    """
    from shipper.commands.check.check import examine

    loaded = program.load(ShipperSettings, flags)
    raise typer.Exit(examine(loaded, flags.config, as_text=not as_json))


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def sessions(
    flags: Flags,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="How far back to look, such as 12h or 30d.")
    ] = "24h",
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The maximum number of sessions.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
) -> None:
    """List the recent sessions in Loki with calls, tokens, errors and tools, latest first.

    The figures cover the time of --since. The column "in" counts uncached input tokens and those written to
    the provider's cache, "cached" those read from it. "cost" is in US dollars, as the provider says it or by
    list price; calls of unknown price are not in it ("?"). A wider terminal shows more columns.

    Exit codes: 0 Loki answered, 1 it did not, 2 the configuration is invalid.

    Example: llm-loki-ship sessions --since 7d --limit 20
    """
    from shipper.commands.sessions.sessions import print_sessions, recent_sessions

    loki = program.load(ShipperSettings, flags).settings.loki
    seconds = program.span("--since", since)
    with _told_errors():
        found = recent_sessions(loki, seconds)
    print_sessions(found, limit, seconds, as_json=as_json)


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def fetch(
    flags: Flags,
    session: Annotated[str, typer.Argument(help="The session's name, or the path of a session's file.")],
    *,
    output: Annotated[str, typer.Option(metavar="FILE", help="Where to write; else to stdout.")] = "",
    form: Annotated[
        Literal["jsonl", "conversation"],
        typer.Option("--format", help="The lines of the file, or a conversation to be read."),
    ] = "jsonl",
    whole: Annotated[bool, typer.Option("--whole", help="Rebuild the body of each request.")] = False,
    files: Annotated[bool, typer.Option("--files", help="Read the log folder, not Loki.")] = False,
    since: Annotated[str, typer.Option(metavar="DURATION", help="How far back to look, as 12h or 30d.")] = "",
) -> None:
    """Print a session's lines as they stood in their file: in its order, long ones joined again.

    They come from Loki; with --files, or where the path of a file is given, from the file.
    A request's body stands in its line by what is new in it. With --whole it is rebuilt and verified; where a
    line is missing for that, it is named, and the request stays as it is.

    With --format conversation it is a text to be read: of each call what is new in it, with the answer,
    thinking, tools and their results, times and tokens; as wide as the terminal, from 60 to 200 columns.

    Without --since the search begins a day before the time in the session's name, else a week ago. Lines that
    were not sent are not there: blank ones, and what rejected.jsonl lists. Loki shows lines stamped hours
    before they were sent only once it has flushed them; one without structured metadata cannot be searched.

    Exit codes: 0 the session is whole, 1 something is missing or Loki does not answer, 2 the configuration is
    wrong.

    Example: llm-loki-ship fetch 20261123-101500-a1b2c3d4 --whole --output session.jsonl

    Example: llm-loki-ship fetch 20261123-101500-a1b2c3d4 --format conversation | less
    """
    from shipper.commands.fetch.fetch import Wanted, write_session

    settings = program.load(ShipperSettings, flags).settings
    seconds = program.span("--since", since) if since else None
    wanted = Wanted(session, seconds, output, files=files, whole=whole, conversation=form == "conversation")
    try:
        with _told_errors():
            complete = write_session(settings, wanted, program.complain)
    except BrokenPipeError:
        # Whoever read stdout has seen enough; typer ends quietly.
        raise
    except OSError as exc:
        place = f"--output {output!r}" if output else exc.filename or session
        program.give_up(f"{place}: {exc.strerror or exc}", EXIT_MACHINE)
    raise typer.Exit(0 if complete else EXIT_MACHINE)


@app.command(cls=SettingsCommand)
@settings_flags(ShipperSettings)
def explore(
    flags: Flags,
    loki: Annotated[bool, typer.Option("--loki/--files", help="Read Loki, not the log folder.")] = False,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="With --loki: how far back to look, such as 12h or 30d.")
    ] = "7d",
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Show the sessions as web pages: conversations, search and cost.

    Reads the log folder, beside a running proxy and shipper or from a copy; with --loki it reads Loki.
    It changes nothing but its search index in the state folder, which can be deleted at any time. Serves
    until Ctrl-C.

    Exit codes: 0 it was stopped, 1 the port cannot be used, 2 the configuration is invalid.

    Example: llm-loki-ship explore --log-dir ./logs --open
    """
    from shipper.commands.sessions.explore.explore import CannotServeError, serve
    from shipper.telemetry.export.host_check import is_loopback

    loaded = program.load(ShipperSettings, flags)
    host = loaded.settings.explore.host
    if not is_loopback(host) and not loaded.settings.explore.token:
        origin = loaded.origins["explore.host"]
        program.give_up(
            f"explore.host = {host!r} ({origin}): set explore.token to serve beyond this machine",
            EXIT_CONFIGURATION,
        )
    seconds = program.span("--since", since) if loki else None
    try:
        with _told_errors():
            serve(loaded.settings, typer.echo, since=seconds, opens=opens)
    except CannotServeError as exc:
        program.give_up(str(exc), EXIT_MACHINE)


@contextmanager
def _told_errors() -> Iterator[None]:
    """End the program with one line if Loki cannot be queried."""
    from shipper.loki.connect import UnusableError
    from shipper.loki.query.query import AskAgainError, CannotAskError

    try:
        yield
    except UnusableError as exc:
        program.give_up(str(exc), EXIT_CONFIGURATION)
    except (AskAgainError, CannotAskError) as exc:
        program.give_up(str(exc), EXIT_MACHINE)


@app.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def health(
    delivery: Annotated[bool, typer.Option("--delivery", help="Also fail if delivery fails.")] = False,
) -> None:
    """Check whether the shipper is alive; exit 0 if it is, 1 if it is not.

    Example: llm-loki-ship health --delivery
    """
    from shipper.commands.probe import health as ask

    raise typer.Exit(ask([*sys.argv[2:], *(["--delivery"] if delivery else [])]))
