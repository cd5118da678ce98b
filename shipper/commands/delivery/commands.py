"""The commands about what was delivered, as typer knows them: ``rejected`` and ``audit``."""

import time
from typing import Annotated

import typer

from groundwork.commands.program import EXIT_CONFIGURATION, EXIT_MACHINE, Program
from groundwork.settings.flags import Flags, SettingsCommand, settings_flags
from groundwork.text import printable
from shipper.config import ShipperSettings


def add_commands(program: Program) -> None:
    """Add the commands to a program."""
    _add_rejected(program)
    _add_audit(program)


def _add_rejected(program: Program) -> None:
    @program.app.command(cls=SettingsCommand)
    @settings_flags(ShipperSettings)
    def rejected(
        flags: Flags,
        retry: Annotated[
            bool, typer.Option("--retry", help="Send them again, for example after you raised a limit.")
        ] = False,
        accept: Annotated[bool, typer.Option("--accept", help="Take them for lost.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    ) -> None:
        """List the lines that Loki rejected and what to do; send them again with --retry.

        You can run it while a shipper is running. While lines are listed, the status is error, and retention
        keeps their session files. --accept ends both; it sends and removes nothing.

        Exit codes: 0 no rejected line is left, 1 some are left or Loki does not answer, 2 the configuration
        is invalid.

        Example: llm-loki-ship rejected --log-dir ./logs --retry
        """
        from shipper.commands.delivery.resend import accepted, lines_of, print_rejected, retried
        from shipper.loki.connect import UnusableError

        settings = program.load(ShipperSettings, flags).settings
        if accept and retry:
            program.give_up("--retry and --accept exclude each other", EXIT_CONFIGURATION)
        try:
            if accept:
                typer.echo(printable(f"accepted as lost: {accepted(settings):,}"))
                raise typer.Exit(0)
            if not retry:
                raise typer.Exit(EXIT_MACHINE if print_rejected(settings, as_json=as_json) else 0)
            done = retried(settings)
        except UnusableError as exc:
            program.give_up(str(exc), EXIT_CONFIGURATION)
        except OSError as exc:
            program.give_up(f"{settings.state_folder}: {exc.strerror or exc}", EXIT_MACHINE)
        typer.echo(printable("\n".join(lines_of(done, as_json=as_json))))
        if done.stopped:
            program.complain(f"stopped, because Loki accepts nothing now: {done.stopped}")
        raise typer.Exit(EXIT_MACHINE if done.left else 0)


def _add_audit(program: Program) -> None:
    @program.app.command(cls=SettingsCommand)
    @settings_flags(ShipperSettings)
    def audit(
        flags: Flags,
        session: Annotated[
            str, typer.Argument(help="One session: its name or its file, with or without .jsonl.")
        ] = "",
        since: Annotated[
            str, typer.Option(metavar="DURATION", help="Files written in this time, such as 12h or 30d.")
        ] = "1d",
        every: Annotated[bool, typer.Option("--all", help="All files.")] = False,
        repair: Annotated[bool, typer.Option("--repair", help="Send missing lines again.")] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")] = False,
    ) -> None:
        """Compare the session files with what Loki has, by stream and hour: lines, bytes and a hash.

        Names by file and line what is missing, cut, doubled or foreign. Lines that Loki rejected and lines
        that were not shipped yet count as differences too. With --repair, missing and cut lines are sent
        again. You can run it while a shipper is running.

        Exit codes: 0 files and Loki agree, 1 they differ or Loki does not answer, 2 the configuration is
        invalid.

        Example: llm-loki-ship audit --since 7d --repair

        Example: llm-loki-ship audit 20261123-101500-a1b2c3d4 --json
        """
        from shipper.commands.delivery.audit import Scope, audited, print_audit
        from shipper.loki.connect import UnusableError
        from shipper.loki.query.query import AskAgainError, CannotAskError, TooMuchError

        settings = program.load(ShipperSettings, flags).settings
        scope = Scope(session, None if every or session else time.time() - program.span("--since", since))
        try:
            result = audited(settings, scope, repair=repair)
        except UnusableError as exc:
            program.give_up(str(exc), EXIT_CONFIGURATION)
        except (AskAgainError, CannotAskError, TooMuchError) as exc:
            program.give_up(str(exc), EXIT_MACHINE)
        except OSError as exc:
            program.give_up(f"{exc.filename or settings.log_folder}: {exc.strerror or exc}", EXIT_MACHINE)
        if session and not result.files:
            program.give_up(f"no file of session {session} in {settings.log_folder}", EXIT_MACHINE)
        print_audit(result, as_json=as_json)
        if result.stopped:
            program.complain(f"stopped sending, because Loki accepts nothing now: {result.stopped}")
        raise typer.Exit(0 if result.agrees else EXIT_MACHINE)
