import gzip
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from proxy.content import decoding
from proxy.content.decoding import DecodeError, TextSplitter, decoder_for
from tests.proxy.bombs import NAMES, bombs

ROOT = Path(__file__).parents[3]


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    " deflate": bare_deflate,
    "br": brotli.compress,
    "zstd": zstandard.compress,
    "br, gzip": lambda data: gzip.compress(brotli.compress(data)),
    "identity, gzip": gzip.compress,
}


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def unpack(pieces: list[bytes], coding: str) -> bytes:
    decoder = decoder_for(coding)
    assert decoder is not None
    return b"".join(decoder.feed(piece) for piece in pieces)


@pytest.mark.parametrize("coding", PACKERS)
@given(data=st.binary(max_size=2000), sizes=st.lists(st.integers(0, 50), max_size=20))
def test_what_was_packed_is_unpacked_however_it_is_cut(coding: str, data: bytes, sizes: list[int]) -> None:
    packed = PACKERS[coding](data)

    assert unpack(cut(packed, sizes), coding.strip()) == data


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_several_members_are_one_body(coding: str) -> None:
    packed = PACKERS[coding](b"one, ") + PACKERS[coding](b"two")

    assert unpack([packed], coding) == b"one, two"
    assert unpack([packed[at : at + 1] for at in range(len(packed))], coding) == b"one, two"


def test_an_event_is_readable_as_soon_as_it_is_flushed() -> None:
    packer = zlib.compressobj(wbits=31)
    decoder = decoder_for("gzip")
    assert decoder is not None

    for event in (b"data: one\n\n", b"data: two\n\n"):
        packed = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
        assert decoder.feed(packed) == event


@pytest.mark.parametrize("coding", ["", "identity", " Identity , "])
def test_plain_bodies_need_no_decoder(coding: str) -> None:
    assert decoder_for(coding) is None


def test_an_unknown_coding_is_an_error() -> None:
    with pytest.raises(DecodeError, match="'compress'"):
        decoder_for("gzip, compress")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_what_is_not_packed_as_said_is_an_error(coding: str) -> None:
    with pytest.raises(DecodeError):
        unpack([b"\x01\x02 this is plain text \xff\xff\xff\xff" * 10] * 3, coding)


def test_a_small_body_that_unpacks_to_too_much_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "LARGEST_DECODED", 100_000)
    packed = gzip.compress(b"\0" * 300_000)

    with pytest.raises(DecodeError, match="too much"):
        unpack([packed[at : at + 50] for at in range(0, len(packed), 50)], "gzip")


_PEAK_OF_A_BOMB = """
import resource, sys
from proxy.content.decoding import DecodeError, decoder_for
coding, packed = sys.argv[1], sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decoder = decoder_for(coding)
    total = sum(len(decoder.feed(packed[at : at + 65536])) for at in range(0, len(packed), 65536))
    print("unpacked", total)
except DecodeError as exc:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, exc)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_bomb_is_an_error_before_it_fills_the_memory(name: str) -> None:
    coding, packed = bombs()[name]
    command = [sys.executable, "-c", _PEAK_OF_A_BOMB, coding]
    ended = subprocess.run(command, cwd=ROOT, input=packed, capture_output=True, check=True, timeout=60)
    kibibytes, _, reason = ended.stdout.decode().partition(" ")

    assert int(kibibytes) < 128 << 10
    assert "too much" in reason or "more than 2 content codings" in reason


@given(st.text(), st.lists(st.integers(0, 5), max_size=20))
def test_texts_join_to_the_exact_text_however_they_are_cut(text: str, sizes: list[int]) -> None:
    splitter = TextSplitter()
    parts = [splitter.feed(piece) for piece in cut(text.encode(), sizes)]

    assert all(isinstance(part, str) for part in parts)
    assert "".join(str(part) for part in parts) == text
    assert splitter.finish() == b""


@given(st.lists(st.binary(max_size=6), max_size=20))
def test_any_bytes_come_back_whole(pieces: list[bytes]) -> None:
    splitter = TextSplitter()
    parts = [splitter.feed(piece) for piece in pieces]

    given_back = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    assert given_back + splitter.finish() == b"".join(pieces)
