"""One bound holds the bodies of all running calls."""

import pytest

from proxy.content.answer import AnswerReader
from proxy.record.record import Omitted
from proxy.recording.body import RequestDraft
from proxy.recording.capture import HANDED_OVER, HANDED_OVER_THEN, HELD_BY_ALL, Held, Side
from proxy.recording.memory import SMALL, Memory
from proxy.recording.stream_body import ChunksDraft
from tests.proxy.bodies import MemorySpool, pieces, read_back

LONG = SMALL + 1
EVENT = b'data: {"a":1}\n\n'


def test_a_body_without_room_is_put_aside_and_read_back_at_its_end() -> None:
    body = b'{"model":"m","messages":[' + b'"' + b"x" * LONG + b'"]}'
    memory, spool = Memory(limit=10), MemorySpool()
    draft = RequestDraft("", lambda: spool, memory=memory)
    for start in range(0, len(body), 4000):
        draft.feed(pieces(body[start : start + 4000]))

    assert memory.held == 0
    whole = draft.whole()
    bulk, _ = draft.finish(whole, None)

    assert whole == body
    assert read_back(bulk) == body.decode()
    assert spool.closed


def test_a_body_that_is_left_out_is_never_put_aside() -> None:
    draft = RequestDraft("", MemorySpool, "log_bodies", Memory(limit=10))
    draft.feed(pieces(b'{"model":"m","x":"' + b"y" * LONG))
    draft.feed(pieces(b'"}'))

    assert draft.whole() is None
    assert b'"model":"m"' in draft.thinned()
    assert isinstance(draft.finish(None, None)[0], Omitted)


def test_the_chunks_of_streams_without_room_are_put_aside_together() -> None:
    memory = Memory(limit=10)
    draft = ChunksDraft(
        "", MemorySpool, None, None, AnswerReader("/v1/messages", "text/event-stream"), memory=memory
    )
    for _ in range(2 * LONG // len(EVENT)):
        draft.feed(pieces(EVENT), 0, 0)
    bulk, _ = draft.finish()

    assert len(read_back(bulk)) == 2 * LONG // len(EVENT)
    assert memory.held <= SMALL


def test_what_a_call_held_that_was_given_up_is_free_again() -> None:
    memory = Memory()
    draft = RequestDraft("", MemorySpool, memory=memory)
    draft.feed(pieces(b"x" * LONG))
    assert memory.held == LONG

    del draft

    assert memory.held == 0


@pytest.mark.parametrize(("others", "due"), [(0, HANDED_OVER), (HELD_BY_ALL, HANDED_OVER_THEN)])
def test_a_side_hands_over_sooner_where_all_hold_much(others: int, due: int) -> None:
    held = Held()
    held.size = others
    side = Side(all=held)

    assert not side.add(b"x" * (due - 1), 1)
    assert side.add(b"x", 1)
    side.take()
    assert held.size == others
