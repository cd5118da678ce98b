"""What the garbage collector has to do with calls."""

import asyncio
import gc
import socket
import struct
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import pytest

from groundwork.gc import freeze_startup_objects
from proxy.wire.call import Call
from proxy.wire.clients import Handler
from proxy.wire.connection import Connection
from tests.proxy.inside import run, serving


@pytest.fixture
def _as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("_as_before")
def test_what_is_there_at_the_start_is_never_gone_through_again() -> None:
    here: list[object] = [[]]
    freeze_startup_objects()

    assert not [each for each in gc.get_objects() if each is here]
    assert gc.get_freeze_count() > 10_000


@pytest.fixture
def _uncollected() -> Iterator[None]:
    """Let nothing be collected meanwhile."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def answer(call: Call) -> None:
    while await call.read():
        pass
    call.answer(HTTPStatus.OK, b"ok")


async def wait_for_ever(call: Call) -> None:
    call.start(HTTPStatus.OK, b"OK", [])
    call.write(b"begun")
    await asyncio.Event().wait()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(
    ("handler", "end"), [(answer, b"ok"), (wait_for_ever, b"begun")], ids=["answered", "cut"]
)
@pytest.mark.usefixtures("_uncollected")
def test_calls_and_connections_that_ended_are_gone_at_once(
    handler: Handler, end: bytes, *, reset: bool
) -> None:
    earlier = alive()

    async def test() -> None:
        async with serving(handler) as connect:
            reader, writer = await connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
            await reader.readuntil(end)
            if reset:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.close()
            await writer.wait_closed()
            async with asyncio.timeout(10):
                while alive(besides=earlier):  # noqa: ASYNC110 - no event tells that an object is gone
                    await asyncio.sleep(0.005)

    run(test)


def alive(besides: Sequence[object] = ()) -> list[object]:
    # What another test of the same process has left behind is known by its identity.
    known = {id(each) for each in besides}
    return [
        each for each in gc.get_objects() if isinstance(each, Call | Connection) and id(each) not in known
    ]
