"""A task that goes on within the event that it waited for."""

import asyncio

import pytest

from proxy.wire.message.handover import Handover
from tests.proxy.inside import run


def test_the_task_goes_on_within_the_event() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        waiting: Handover[str] = Handover(loop)
        seen: list[str] = []

        async def wait() -> None:
            seen.append(await waiting)

        def event() -> None:
            seen.append("before")
            waiting.give("value")
            seen.append("after")

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        loop.call_soon(event)
        await task
        assert seen == ["before", "value", "after"]

    run(test)


def test_a_task_that_gives_goes_on_first() -> None:
    async def test() -> None:
        waiting: Handover[str] = Handover(asyncio.get_running_loop())
        seen: list[str] = []

        async def wait() -> None:
            seen.append(await waiting)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        waiting.give("value")
        seen.append("after")
        await task
        assert seen == ["after", "value"]

    run(test)


def test_what_was_given_before_is_there_at_once() -> None:
    async def test() -> None:
        waiting: Handover[int] = Handover(asyncio.get_running_loop())
        waiting.give(7)
        assert waiting.done
        assert await waiting == 7

    run(test)


def test_a_cancelled_task_is_told_where_it_waits_and_can_go_on() -> None:
    async def test() -> None:
        loop = asyncio.get_running_loop()
        seen: list[object] = []

        async def wait() -> None:
            with pytest.raises(asyncio.CancelledError):
                await Handover[int](loop)
            later: Handover[int] = Handover(loop)
            loop.call_soon(later.give, 8)
            seen.append(await later)

        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        task.cancel()
        await task
        assert seen == [8]

    run(test)
