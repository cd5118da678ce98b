"""Opening the health port."""

from collections.abc import Callable

from groundwork.settings.settings import ConfigurationError, Loaded
from shipper.config import RunSettings, ShipperSettings
from shipper.telemetry.export.host_check import is_loopback
from shipper.telemetry.export.http_server import HealthPort
from shipper.telemetry.health import Snapshot
from shipper.telemetry.page.state import About


def check_bind(loaded: Loaded[ShipperSettings]) -> None:
    """Check that somebody has said who may read beyond this machine. Raises ``ConfigurationError``."""
    run = loaded.settings.shipper
    if not is_loopback(run.health_host) and not any(run.allowed_hosts):
        origin = loaded.origins["shipper.health_host"]
        raise ConfigurationError(
            f"shipper.health_host = {run.health_host!r} ({origin}): beyond loopback,"
            " shipper.allowed_hosts must say by which names it is called"
        )


class StartError(Exception):
    """The machine does not let the process start; the text is one clear line. Exit code 1."""


def bind(run: RunSettings, snapshot: Snapshot, about: About, wake: Callable[[], None]) -> HealthPort:
    """Return the health port, which answers with ``snapshot`` at first. Raises ``StartError``."""
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
