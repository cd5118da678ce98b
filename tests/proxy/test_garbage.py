"""What the garbage collector has to do with calls."""

import asyncio
import gc
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from proxy.call import Call
from proxy.connection import Connection
from proxy.garbage import settle
from tests.proxy.inside import run, serving


@pytest.fixture
def _as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


@pytest.mark.usefixtures("_as_before")
def test_what_is_there_at_the_start_is_never_gone_through_again() -> None:
    here = [[]]
    settle()

    assert not [each for each in gc.get_objects() if each is here]
    assert gc.get_freeze_count() > 10_000


@pytest.fixture
def _left() -> Iterator[None]:
    """Collect nothing meanwhile, but by hand, and keep what was."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.enable()
    gc.garbage.clear()


async def answer(call: Call) -> None:
    while await call.read():
        pass
    call.answer(HTTPStatus.OK, b"ok")


async def wait_for_ever(call: Call) -> None:
    call.start(HTTPStatus.OK, b"OK", [])
    call.write(b"begun")
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("handler", "end"), [(answer, b"ok"), (wait_for_ever, b"begun")], ids=["answered", "cut"]
)
@pytest.mark.usefixtures("_left")
def test_calls_and_connections_that_ended_leave_nothing_to_collect(handler: object, end: bytes) -> None:
    async def test() -> None:
        async with serving(handler) as connect:  # type: ignore[arg-type]
            reader, writer = await connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody")
            await reader.readuntil(end)
            writer.close()
            await writer.wait_closed()

    run(test)
    gc.collect()

    assert not [each for each in gc.garbage if isinstance(each, Call | Connection)]
