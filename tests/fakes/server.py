"""The TCP edge of the fakes: reads requests, plays replies, in a thread or as a process."""

import asyncio
import contextlib
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar, cast

import uvloop

from tests.fakes.reply import Close, Down, Hang, Pause, Reply, Reset, Step, text_answer
from tests.fakes.wire import MalformedRequestError, Request, RequestReader

T = TypeVar("T")

# How long a start, a stop or a call into the server's thread may take before the test fails.
_DEADLINE = 10.0
_BACKLOG = 1024
_TICK = 0.001


class App(Protocol):
    """What a server serves."""

    def answer_early(self, request: Request) -> Reply | None:
        """Answer when only the head has arrived, and end the connection after it; None to read on."""

    def answer(self, request: Request) -> Reply:
        """Answer a whole request."""


class Connection(asyncio.Protocol):
    """One client: requests one after the other, each answered before the next is looked at."""

    def __init__(self, app: App, listener: "Listener") -> None:
        self._app = app
        self._listener = listener
        self._reader = RequestReader()
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._writable = asyncio.Event()
        self._player: asyncio.Task[None] | None = None
        self._seen: Request | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._writable.set()
        self._listener.peers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature of asyncio
        self._listener.peers.discard(self)
        self._writable.set()
        if self._player:
            self._player.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        if self._player is None:
            self._serve()

    def _serve(self) -> None:
        try:
            for request in self._reader.requests():
                if not self._play(self._app.answer(request), closing=not request.keeps_alive):
                    return
        except MalformedRequestError as exc:
            self._play(text_answer(f"{exc}\n", 400), closing=True)
            return
        self._look_at_head()

    def _look_at_head(self) -> None:
        pending = self._reader.pending
        if pending is None or pending is self._seen:
            return
        self._seen = pending
        reply = self._app.answer_early(pending)
        if reply is not None:
            self._play(reply, closing=True)
        elif pending.fields.get(b"expect", b"").lower() == b"100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _play(self, reply: Reply, *, closing: bool) -> bool:
        """Write a reply; False when it goes on in a task, or the connection ends."""
        if isinstance(reply, bytes):
            self._transport.write(reply)
            if closing:
                self._transport.close()
            return not closing
        self._player = asyncio.get_running_loop().create_task(self._play_steps(iter(reply), closing=closing))
        return False

    async def _play_steps(self, steps: Any, *, closing: bool) -> None:
        for step in steps:
            if not await self._step(step):
                return
        self._player = None
        if closing:
            self._transport.close()
        else:
            self._serve()

    async def _step(self, step: Step) -> bool:
        match step:
            case bytes():
                await self._writable.wait()
                self._transport.write(step)
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Hang():
                await asyncio.Event().wait()
            case Close():
                self._transport.close()
                return False
            case Reset():
                await self._drained()
                self.reset()
                return False
            case Down(seconds):
                await self._drained()
                self._listener.down_for(seconds)
                return False
        return not self._transport.is_closing()

    async def _drained(self) -> None:
        """Wait until all that was written is with the kernel, so that a reset comes after it."""
        while self._transport.get_write_buffer_size():  # noqa: ASYNC110 - asyncio has no event for it
            await asyncio.sleep(_TICK)

    def reset(self) -> None:
        """End the connection with a reset: what the kernel still holds unsent is thrown away."""
        sock = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()


class Listener:
    """One port that can go down and come up again; all methods run in the loop's own thread."""

    def __init__(self, app: App, host: str, port: int) -> None:
        self._app = app
        self._socket = _bound(host, port)
        self._server: asyncio.Server | None = None
        self.peers: set[Connection] = set()
        self._coming_up: asyncio.Task[None] | None = None
        self.host, self.port = self._socket.getsockname()[:2]

    async def up(self) -> None:
        """Listen; harmless when it does."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: Connection(self._app, self), sock=self._socket, backlog=_BACKLOG
            )

    def down(self) -> None:
        """Refuse connections and reset those that are open, but keep the port."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self._socket = _bound(self.host, self.port)
            self.reset_all()

    def down_for(self, seconds: float) -> None:
        """Go down now and come up later."""

        async def come_up() -> None:
            await asyncio.sleep(seconds)
            await self.up()

        self.down()
        self._coming_up = asyncio.get_running_loop().create_task(come_up())

    def reset_all(self) -> None:
        """Reset every open connection."""
        for peer in tuple(self.peers):
            peer.reset()

    def close(self) -> None:
        """End for good."""
        if self._coming_up:
            self._coming_up.cancel()
        self.down()
        self._socket.close()


def _bound(host: str, port: int) -> socket.socket:
    """Bind without listening: such a port is kept, and refuses."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


class Fake:
    """A server in a thread of the test's own process: a context manager with a ``url``."""

    def __init__(self, app: App, host: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = Listener(app, host, port)
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=type(self).__name__, daemon=True)
        self.port = self._listener.port
        self.url = f"http://{self._listener.host}:{self.port}"

    def start(self) -> Self:
        """Listen, and return when connections are taken."""
        self._thread.start()
        self._run(self._listener.up())
        return self

    def stop(self) -> None:
        """Reset what is open and give the port back; harmless the second time."""
        if self._loop.is_closed():
            return
        if self._thread.is_alive():
            self.call(self._listener.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_DEADLINE)
        self._loop.close()

    def down(self) -> None:
        """Refuse connections until ``up``, with all state kept."""
        self.call(self._listener.down)

    def up(self) -> None:
        """Listen again on the same port."""
        self._run(self._listener.up())

    def reset_connections(self) -> None:
        """Reset every open connection and go on listening."""
        self.call(self._listener.reset_all)

    def call(self, function: Callable[[], T]) -> T:
        """Run ``function`` in the server's thread, between two requests, and return what it returns."""

        async def run() -> T:
            return function()

        return self._run(run())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DEADLINE)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve_as_process(app: App, name: str, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; one line on stdout says where. A taken port is exit 1."""

    async def run() -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, stopping.set)
        listener = Listener(app, host, port)
        await listener.up()
        print(f"listening on http://{listener.host}:{listener.port}", flush=True)  # noqa: T201 - the promise
        await stopping.wait()
        listener.close()

    try:
        uvloop.run(run())
    except OSError as exc:
        sys.exit(f"{name}: cannot listen on {host}:{port}: {exc.strerror}")
