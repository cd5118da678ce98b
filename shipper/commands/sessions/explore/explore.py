"""``llm-loki-ship explore``: serves the pages until Ctrl-C."""

import signal
import socket
import webbrowser
from collections.abc import Callable
from importlib.metadata import version

import uvicorn

from groundwork.text import without_credentials
from shipper.commands.sessions.cost import prices_checked
from shipper.commands.sessions.explore import assets
from shipper.commands.sessions.explore.pages import Pages
from shipper.commands.sessions.explore.server import Server, Source
from shipper.commands.sessions.explore.sources.folder import Folder
from shipper.commands.sessions.explore.sources.loki import LokiSessions
from shipper.config import ShipperSettings
from shipper.loki.connect import connect

# Streams of events are open for ever; nothing is lost when they are cut.
_STOP_SECONDS = 1


class CannotServeError(Exception):
    """The address cannot be served; the text says why."""


def serve(settings: ShipperSettings, say: Callable[[str], None], *, since: float | None, opens: bool) -> None:
    """Serve until SIGINT or SIGTERM: the log folder, or with ``since`` so many seconds of Loki.

    Raises ``CannotServeError``, and ``UnusableError`` for Loki's configuration.
    """
    host, token = settings.explore.host, settings.explore.token
    source: Source
    if since is None:
        source, place = Folder(settings.log_folder, settings.state_folder), str(settings.log_folder)
    else:
        with connect(settings.loki):
            pass
        source, place = LokiSessions(settings.loki, since), without_credentials(settings.loki.url)
    listener = _listen(host, settings.explore.port)
    pages = Pages(assets.templates(), f"Sessions of {place}", _prices())
    source.start()
    address = _address(listener)
    say(f"exploring {place} on {address}")
    if opens:
        webbrowser.open(f"{address}/?token={token}" if token else address)
    config = uvicorn.Config(
        Server(source, pages).app(host, token),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_SECONDS,
        lifespan="off",
    )
    for each in (signal.SIGINT, signal.SIGTERM):
        # uvicorn stops at them, and raises them again when it has stopped.
        signal.signal(each, lambda *_: None)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        source.stop()


def _prices() -> str:
    return f"genai-prices {version('genai-prices')} of {prices_checked()}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise CannotServeError(
            f"explore.host = {host!r}, explore.port = {port}: {exc.strerror or exc}"
        ) from exc
    listener.listen()
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
