"""Frames to messages: what a peer of the library sends is what is read, wherever it is cut."""

import os
import struct
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol

from proxy.content.streams.websocket import LONGEST_PIECE, Close, Message, MessageReader

DEFLATE = "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"


def sender(*, client: bool, extensions: str) -> FrameProtocol:
    deflate = PerMessageDeflate()
    if extensions:
        deflate.finalize(extensions)
    return FrameProtocol(client=client, extensions=[deflate] if extensions else [])


def read(reader: MessageReader, data: bytes | bytearray, cuts: Sequence[int] = ()) -> list[Message | Close]:
    edges = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    return [each for begin, end in pairwise(edges) for each in reader.feed(bytes(data[begin:end]))]


@given(
    texts=st.lists(st.text(max_size=300), max_size=6),
    client=st.booleans(),
    extensions=st.sampled_from(["", DEFLATE]),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_what_was_sent_is_read_wherever_it_is_cut(
    texts: list[str], *, client: bool, extensions: str, cuts: list[int]
) -> None:
    peer = sender(client=client, extensions=extensions)
    data = b"".join(peer.send_data(each) + peer.ping(b"p") for each in texts) + peer.close(1000, "done")
    reader = MessageReader(from_client=client, extensions=extensions)

    *messages, close = read(reader, data, cuts)

    assert [each.data.decode() for each in messages if isinstance(each, Message)] == texts
    assert (close, str(close)) == (Close(1000, "done"), "1000 done")
    assert not reader.is_broken


def test_a_message_in_fragments_is_one() -> None:
    peer = sender(client=True, extensions="")
    data = peer.send_data("one ", fin=False) + peer.ping(b"") + peer.send_data("message", fin=True)

    assert read(MessageReader(from_client=True, extensions=""), data) == [Message(b"one message")]


def test_a_long_message_comes_in_pieces() -> None:
    text = os.urandom(LONGEST_PIECE * 2).hex()
    data = sender(client=False, extensions="").send_data(text)
    reader = MessageReader(from_client=False, extensions="")

    found = read(reader, data, range(0, len(data), 100_000))
    pieces = [each for each in found if isinstance(each, Message)]

    assert b"".join(each.data for each in pieces).decode() == text
    assert [each.begins for each in pieces] == [True] + [False] * (len(pieces) - 1)
    assert [each.ends for each in pieces] == [False] * (len(pieces) - 1) + [True]
    assert max(len(each.data) for each in pieces) < LONGEST_PIECE + 200_000


def test_a_message_that_unpacks_to_much_is_not_held_whole() -> None:
    data = sender(client=False, extensions=DEFLATE).send_data("x" * (64 << 20))
    found = read(MessageReader(from_client=False, extensions=DEFLATE), data)
    largest = max(len(each.data) for each in found if isinstance(each, Message))

    assert len(data) < 200_000
    assert largest < 8 << 20


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x83\x00",
        struct.pack("!BB", 0x81, 3) + b"\xff\xfe\xfd",
        b"\xc1\x05abcde",
    ],
)
def test_what_is_no_frame_ends_the_reading_and_raises_nothing(data: bytes) -> None:
    reader = MessageReader(from_client=False, extensions="")

    assert read(reader, data) == []
    assert reader.is_broken
    assert read(reader, b"\x81\x01a") == []


@pytest.mark.parametrize("extensions", ["x-unknown", "permessage-deflate; server_max_window_bits=99"])
def test_an_unknown_extension_makes_messages_unreadable(extensions: str) -> None:
    assert MessageReader(from_client=False, extensions=extensions).is_broken
