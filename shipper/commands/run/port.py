"""Opening the health port."""

from collections.abc import Callable

from shipper.config import RunSettings
from shipper.telemetry.export.http_server import HealthPort
from shipper.telemetry.health import Snapshot
from shipper.telemetry.page.state import About


class StartError(Exception):
    """The machine does not let the process start; the text is one clear line. Exit code 1."""


def bind(run: RunSettings, snapshot: Snapshot, about: About, wake: Callable[[], None]) -> HealthPort:
    """Return the health port, which answers with ``snapshot`` at first. Raises ``StartError``."""
    try:
        return HealthPort(run.health_host, run.health_port, snapshot, about, wake, has_page=run.page)
    except OSError as exc:
        where = f"{run.health_host}:{run.health_port}"
        reason = exc.strerror or exc
        raise StartError(f"shipper.health_port: cannot listen on {where}: {reason}") from exc
