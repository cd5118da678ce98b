"""Opening the health port."""

from collections.abc import Callable

from groundwork.commands.program import EXIT_CONFIGURATION, EXIT_MACHINE
from groundwork.settings.settings import Loaded
from shipper.config import ShipperSettings
from shipper.telemetry.export.host_check import is_loopback
from shipper.telemetry.export.http_server import HealthPort
from shipper.telemetry.health import Snapshot
from shipper.telemetry.page.state import About


class StartError(Exception):
    """The machine, or a setting, does not let the process start; the text is one clear line."""

    def __init__(self, message: str, code: int = EXIT_MACHINE) -> None:
        super().__init__(message)
        self.code = code


def bind(
    loaded: Loaded[ShipperSettings], snapshot: Snapshot, about: About, wake: Callable[[], None]
) -> HealthPort:
    """Return the health port, which answers with ``snapshot`` at first. Raises ``StartError``."""
    run = loaded.settings.shipper
    if not is_loopback(run.health_host) and not any(run.allowed_hosts):
        raise StartError(
            f"shipper.health_host = {run.health_host!r} ({loaded.origins['shipper.health_host']}): beyond"
            " loopback, shipper.allowed_hosts must say by which names it is called",
            EXIT_CONFIGURATION,
        )
    try:
        return HealthPort(
            run.health_host,
            run.health_port,
            snapshot,
            about,
            wake,
            allowed_hosts=run.allowed_hosts,
            has_page=run.page,
        )
    except OSError as exc:
        where = f"{run.health_host}:{run.health_port}"
        reason = exc.strerror or exc
        raise StartError(f"shipper.health_port: cannot listen on {where}: {reason}") from exc
