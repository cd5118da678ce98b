from hypothesis import given
from hypothesis import strategies as st

from proxy.content.streams.sse import Event, EventReader

STREAM = (
    b": a comment\n\n"
    b'event: message_start\ndata: {"a":1}\n\n'
    b'data:{"b":2}\nid: 7\n\n'
    b"data: first\ndata: second\n\n"
    b"event: empty\n\n"
    b"\n\n"
    b"data: [DONE]\n\n"
)
EVENTS = [b'{"a":1}', b'{"b":2}', b"first\nsecond", b"[DONE]"]


def read(pieces: list[bytes]) -> list[bytes]:
    reader = EventReader()
    events = [event for piece in pieces for event in reader.feed(piece)] + reader.finish()
    return [event.data for event in events]


def test_the_data_of_each_event_is_read() -> None:
    assert read([STREAM]) == EVENTS


def test_bytes_may_come_one_by_one() -> None:
    assert read([STREAM[at : at + 1] for at in range(len(STREAM))]) == EVENTS


@given(st.lists(st.integers(1, 30), max_size=30), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_cuts_and_line_ends_make_no_difference(sizes: list[int], end: bytes) -> None:
    stream = STREAM.replace(b"\n", end)
    pieces = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]

    assert read([*pieces, stream]) == EVENTS


def test_an_event_is_told_as_soon_as_it_is_whole() -> None:
    reader = EventReader()

    assert reader.feed(b"data: 1\n") == []
    assert reader.feed(b"\ndata: 2") == [Event(b"1")]
    assert reader.finish() == [Event(b"2")]
    assert reader.finish() == []
