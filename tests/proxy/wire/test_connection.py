"""A client's connection, with handlers and limits of the test's own."""

import asyncio
import weakref
from http import HTTPStatus

import pytest

from proxy.wire import call as call_module
from proxy.wire import clients as clients_module
from proxy.wire import connection as connection_module
from proxy.wire.call import BodyTooLargeError, Call, ClientGoneError
from tests.proxy.inside import run, serving


@pytest.fixture(autouse=True)
def _swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients_module, "SWEEP_SECONDS", 0.01)


GET = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n"


async def read_all(call: Call) -> bytes:
    body = b""
    while piece := await call.read():
        body += piece
    return body


async def echo(call: Call) -> None:
    call.answer(HTTPStatus.OK, call.target + b" " + await read_all(call))


def test_a_header_that_takes_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HEADER_SECONDS", 0.05)

    async def test() -> None:
        async with serving(echo) as connect:
            reader, writer = await connect()
            writer.write(b"GET / HTTP/1.1\r\nHost:")
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
            writer.close()

    run(test)


def test_a_connection_on_which_nothing_comes_is_closed_without_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "HEADER_SECONDS", 0.05)

    async def test() -> None:
        async with serving(echo) as connect:
            reader, writer = await connect()
            assert await reader.read() == b""
            writer.close()

    run(test)


def test_a_body_may_take_as_long_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HEADER_SECONDS", 0.1)
    begun = asyncio.Event()

    async def begin(call: Call) -> None:
        begun.set()
        await echo(call)

    async def test() -> None:
        async with serving(begin) as connect:
            reader, writer = await connect()
            writer.write(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\na")
            await begun.wait()
            # The time of one that came later is over.
            idle, leaving = await connect()
            assert await idle.read() == b""
            writer.write(b"b")
            assert (await reader.read()).endswith(b"/x ab")
            writer.close()
            leaving.close()

    run(test)


def test_one_connection_too_many_makes_the_longest_idle_go() -> None:
    async def test() -> None:
        async with serving(echo, most=2) as connect:
            used = [await connect() for _ in range(2)]
            for reader, writer in used:
                writer.write(GET % 1)
                await reader.readuntil(b"/1 ")
            used[0][1].write(GET % 2)
            await used[0][0].readuntil(b"/2 ")
            reader, writer = await connect()
            assert await used[1][0].read() == b""
            writer.write(GET % 3)
            await reader.readuntil(b"/3 ")
            used[0][1].write(GET % 4)
            await used[0][0].readuntil(b"/4 ")
            for _, each in [*used, (reader, writer)]:
                each.close()

    run(test)


def test_where_all_connections_have_calls_a_few_more_are_told_so_and_the_rest_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(clients_module, "FOR_PAGES", 1)
    told: list[bool] = []

    async def hang(call: Call) -> None:
        told.append(call.over_limit)
        if call.over_limit:
            call.answer(HTTPStatus.OK, b"page")
            return
        await asyncio.Event().wait()

    async def test() -> None:
        async with serving(hang, most=1) as connect:
            held = await connect()
            held[1].write(GET % 1)
            while not told:  # noqa: ASYNC110 - the handler's own list
                await asyncio.sleep(0.005)
            page = await connect()
            page[1].write(GET % 2)
            await page[0].readuntil(b"page")
            page[1].write(b"GET /half")
            busy = await connect()
            busy[1].write(GET % 3)
            last = await connect()
            answer = await last[0].read()
            if not answer:
                answer = await busy[0].read()
            for _, each in (held, page, busy, last):
                each.close()
        assert told[:2] == [False, True]

    run(test)


def test_a_body_that_grows_too_large_is_told_to_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_module, "LARGEST_BODY", 10)
    told = asyncio.Event()

    async def read(call: Call) -> None:
        with pytest.raises(BodyTooLargeError):
            await read_all(call)
        told.set()
        call.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too much")

    async def test() -> None:
        async with serving(read) as connect:
            reader, writer = await connect()
            writer.write(
                b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n14\r\n" + b"x" * 20
            )
            assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
            assert told.is_set()
            writer.close()

    run(test)


@pytest.mark.parametrize(("size", "too_large"), [(10, False), (11, True)])
def test_a_body_announced_too_large_is_known_before_it_comes(
    monkeypatch: pytest.MonkeyPatch, size: int, *, too_large: bool
) -> None:
    monkeypatch.setattr(call_module, "LARGEST_BODY", 10)

    async def tell(call: Call) -> None:
        call.answer(HTTPStatus.OK, str(call.is_too_large).encode())

    async def test() -> None:
        async with serving(tell) as connect:
            reader, writer = await connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
            await reader.readuntil(str(too_large).encode())
            writer.close()

    run(test)


def test_requests_sent_ahead_wait_for_their_turn_and_a_client_that_leaves_ends_the_one_that_runs() -> None:
    started: list[bytes] = []
    ended = asyncio.Event()

    async def hang(call: Call) -> None:
        started.append(call.target)
        if call.target == b"/0":
            call.answer(HTTPStatus.OK, b"first")
            return
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            assert call.cut == "client_gone"
            ended.set()

    async def test() -> None:
        async with serving(hang) as connect:
            reader, writer = await connect()
            writer.write(b"".join(GET % number for number in range(3)))
            await reader.readuntil(b"first")
            writer.close()
            await ended.wait()
        assert started == [b"/0", b"/1"]

    run(test)


def test_a_client_that_leaves_amid_its_body_is_told_to_its_reader() -> None:
    gone = asyncio.Event()

    async def read(call: Call) -> None:
        try:
            await read_all(call)
        except (ClientGoneError, asyncio.CancelledError):
            gone.set()

    async def test() -> None:
        async with serving(read) as connect:
            _, writer = await connect()
            writer.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab")
            await asyncio.sleep(0)
            writer.transport.abort()
            await gone.wait()

    run(test)


def test_a_handler_that_ends_without_an_answer_breaks_the_connection() -> None:
    async def nothing(call: Call) -> None:
        call.start(200, b"OK", [])
        call.write(b"half")

    async def test() -> None:
        async with serving(nothing) as connect:
            reader, writer = await connect()
            writer.write(GET % 1)
            answer = await reader.read()
            assert answer.endswith(b"4\r\nhalf\r\n")
            writer.close()

    run(test)


def test_a_client_that_does_not_read_holds_the_writer_back() -> None:
    behind = asyncio.Event()
    piece = b"x" * 65536

    async def flood(call: Call) -> None:
        call.start(200, b"OK", [(b"Content-Length", b"%d" % (200 * len(piece)))])
        for _ in range(200):
            call.write(piece)
            if call.is_behind:
                behind.set()
                await call.drain()
        call.end()

    async def test() -> None:
        async with serving(flood) as connect:
            reader, writer = await connect()
            writer.write(GET % 1)
            await behind.wait()
            await reader.readuntil(b"\r\n\r\n")
            assert len(await reader.readexactly(200 * len(piece))) == 200 * len(piece)
            writer.close()

    run(test)


def test_one_task_handles_one_call_after_the_other_and_holds_none_of_them() -> None:
    tasks: list[object] = []
    calls: list[weakref.ref[Call]] = []

    async def note(call: Call) -> None:
        tasks.append(asyncio.current_task())
        calls.append(weakref.ref(call))
        await echo(call)

    async def test() -> None:
        async with serving(note) as connect:
            reader, writer = await connect()
            for number in range(3):
                writer.write(GET % number)
                await reader.readuntil(b"/%d " % number)
            assert len(set(tasks)) == 1
            assert [each() for each in calls] == [None] * 3
            writer.close()

    run(test)


def test_a_call_that_was_cut_leaves_its_task_fit_for_the_next() -> None:
    seen: list[tuple[object, int]] = []
    begun = asyncio.Event()

    async def handle(call: Call) -> None:
        task = asyncio.current_task()
        seen.append((task, task.cancelling() if task else -1))
        if call.method == "POST":
            begun.set()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.Event().wait()
        await echo(call)

    async def test() -> None:
        async with serving(handle) as connect:
            leaving, other = await connect(), await connect()
            leaving[1].write(b"POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            await begun.wait()
            leaving[1].transport.abort()
            while True:
                other[1].write(GET % 2)
                await other[0].readuntil(b"/2 ")
                if seen[-1][0] is seen[0][0]:
                    break
            assert {cancelling for _, cancelling in seen} == {0}
            other[1].close()

    run(test)


def test_calls_that_follow_at_once_are_answered_in_order_however_many_there_are() -> None:
    async def test() -> None:
        async with serving(echo) as connect:
            reader, writer = await connect()
            writer.write(GET % 0)
            await reader.readuntil(b"/0 ")
            many = 3_000
            writer.write(b"".join(GET % number for number in range(many)))
            for number in range(many):
                await reader.readuntil(b"/%d " % number)
            writer.close()

    run(test)
