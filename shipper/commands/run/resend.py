"""``llm-loki-ship resend``: a run that ends, with an empty state of its own."""

import tempfile
import time
from dataclasses import replace
from typing import Annotated

import typer

from groundwork.commands.program import EXIT_CONFIGURATION, EXIT_MACHINE, Program
from groundwork.settings.flags import Flags, SettingsCommand, settings_flags
from groundwork.settings.settings import Loaded
from shipper.config import ShipperSettings


def add_command(program: Program) -> None:
    """Add the command to a program."""

    @program.app.command(cls=SettingsCommand)
    @settings_flags(ShipperSettings)
    def resend(
        flags: Flags,
        since: Annotated[
            str, typer.Option(metavar="DURATION", help="Files written in this time, such as 12h or 30d.")
        ],
    ) -> None:
        """Send files anew, whatever was delivered before: to a new Loki, or to one that lost them.

        --loki-url names another Loki. The checkpoint stays as it is, so you can run it while a shipper is
        running. A Loki that has the lines already shows each once, but counts copies in its metrics.

        Exit codes: 0 everything was delivered, 1 a problem of the machine prevents the start, 2 the
        configuration is invalid, 3 bytes are left to deliver, or lines are rejected.

        Example: llm-loki-ship resend --since 7d --loki-url http://new-loki:3100/loki/api/v1/push
        """
        from shipper.commands.run.surroundings.port import StartError
        from shipper.loki.connect import UnusableError

        loaded = program.load(ShipperSettings, flags)
        since_ns = int((time.time() - program.span("--since", since)) * 1e9)
        try:
            code = _sent_anew(loaded, since_ns)
        except UnusableError as exc:
            program.give_up(str(exc), EXIT_CONFIGURATION)
        except StartError as exc:
            program.give_up(str(exc), EXIT_MACHINE)
        raise typer.Exit(code)


def _sent_anew(loaded: Loaded[ShipperSettings], since_ns: int) -> int:
    """Send the files written since then; return the exit code. Raises ``UnusableError``, ``StartError``."""
    from groundwork.eventlog import start_log
    from shipper.commands.run.progress import RunProgress, settings_for
    from shipper.commands.run.service import Service
    from shipper.commands.run.surroundings.descriptors import prepare_process
    from shipper.loki.connect import UnusableError

    ending = settings_for(loaded)
    given = ending.settings.shipper.state_dir
    if given and ending.settings.log_folder in ending.settings.state_folder.parents:
        raise UnusableError(f"shipper.state_dir = {given!r}: lies in log_dir, so its lists would be sent")
    prepare_process()
    with tempfile.TemporaryDirectory(prefix="llm-loki-ship-") as state:
        run = replace(ending.settings.shipper, state_dir=state, retention=0.0, audit=0.0)
        anew = replace(ending, settings=replace(ending.settings, shipper=run))
        with RunProgress() as progress:
            code = Service(
                anew, start_log("llm-loki-ship", anew.settings.log_format), progress.show, since_ns
            ).run()
        progress.summarise()
    return code
