"""What calls and chunks feel of the proxy under load. Small here; in full by LLM_PROXY_TEST_LOAD=1."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.proxy.load import Delays, PacedProvider, call, percentile, stream
from tests.proxy.served import Served, request_bytes

Serve = Callable[..., Served]
FULL = "LLM_PROXY_TEST_LOAD" in os.environ
STREAMS, CHUNKS, PACE = (200, 500, 0.1) if FULL else (20, 25, 0.02)
# Of the time that the streams take; on a busy machine of two cores only a stall can be told from noise.
MOST_ADDED = 0.001 if FULL else 0.5
MOST_SLOWER = 1.1
SECONDS, RATE = (60.0, 300) if FULL else (1.5, 200)
SLOW_DISK = (sys.executable, str(Path(__file__).parents[1] / "slow_disk.py"), "0.2")


def test_paced_streams_come_through_as_they_are_sent(
    serve: Serve, record_property: Callable[..., None]
) -> None:
    delays = [Delays() for _ in range(STREAMS)]

    async def run() -> float:
        provider = PacedProvider(CHUNKS, PACE)
        server = await provider.start()
        served = await asyncio.to_thread(serve, "--upstreams", f"127.0.0.1:{provider.port}")
        port = await asyncio.to_thread(lambda: served.port)
        path = f"/anthropic/127.0.0.1:{provider.port}/v1/messages"
        began = time.monotonic()
        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            for each in delays:
                group.create_task(stream(provider.port, "/v1/messages", CHUNKS, each.direct))
                group.create_task(stream(port, path, CHUNKS, each.through))
        server.close()
        return time.monotonic() - began

    took = asyncio.run(run())
    together = Delays(
        [delay for each in delays for delay in each.direct],
        [delay for each in delays for delay in each.through],
    )
    record_property("added_p99_ms", round(together.added() * 1000, 2))
    assert len(together.through) == STREAMS * CHUNKS
    assert together.added() < MOST_ADDED * took


def test_a_slow_disk_slows_no_call(serve: Serve, record_property: Callable[..., None]) -> None:
    """Calls at a steady rate, in turn to a proxy on a good disk and to one whose writes take 200 ms."""
    good, slow = serve("--log-dir", "good"), serve("--log-dir", "slow", under=SLOW_DISK)
    took = Delays()

    def requests(served: Served) -> list[bytes]:
        body = b'{"max_tokens":1,"messages":[],"padding":"' + b"x" * 400_000 + b'"}'
        path = f"/anthropic/{served.upstream}/v1/messages"
        return [request_bytes(path, [("session_id", f"k{number}")], body) for number in range(10)]

    async def run() -> None:
        plans = [(good.port, requests(good), took.direct), (slow.port, requests(slow), took.through)]
        began = time.monotonic()
        async with asyncio.timeout(100), asyncio.TaskGroup() as group:
            for number in range(int(SECONDS * RATE)):
                await asyncio.sleep(began + number / RATE - time.monotonic())
                port, held, into = plans[number % 2]
                request = held[number // 2 % len(held)]
                group.create_task(call(port, request, b'"type":"message"', into))

    asyncio.run(run())
    told = slow.health()
    slow.process.kill()
    for name, percent in (("p50", 50), ("p99", 99)):
        good_ms, slow_ms = (percentile(each, percent) * 1000 for each in (took.direct, took.through))
        record_property(name, f"{good_ms:.2f} ms on a good disk, {slow_ms:.2f} ms on a slow one")
    record_property("bodies_omitted", told["bodies_omitted"])
    assert told["queue_bytes"] > 0
    assert percentile(took.through, 50) < 2 * percentile(took.direct, 50)
    if FULL:
        assert percentile(took.through, 50) < MOST_SLOWER * percentile(took.direct, 50)
        assert percentile(took.through, 99) < MOST_SLOWER * percentile(took.direct, 99)
