import hashlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipper.record.split import Slices, cut

ROOM = 64


def blocks_of(line: bytes, size: int) -> list[bytes]:
    return [line[start : start + size] for start in range(0, len(line), size)]


def pieces(line: bytes, slices: Slices) -> list[bytes]:
    bounds = [slices.bounds(number) for number in range(slices.count)]
    return [line[start:end] for start, end in bounds]


def escaped(piece: bytes) -> int:
    return len(orjson.dumps(piece.decode())) - 2


lines = st.one_of(
    st.binary(max_size=2000),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=800).map(str.encode),
    st.text(st.sampled_from('"\\\x00\n\x1f\x7fä€🙂a'), max_size=800).map(str.encode),
)


@given(lines.filter(bool), st.integers(1, 300), st.integers(16, 200))
def test_slices_join_to_the_line_and_fit(line: bytes, block: int, room: int) -> None:
    slices = cut(blocks_of(line, block), room, room)

    made = pieces(line, slices)
    assert b"".join(made) == line
    assert all(made)
    assert slices.size == len(line)
    assert slices.sha256 == hashlib.sha256(line).hexdigest()
    if slices.is_text:
        assert max(map(escaped, made)) <= room
    else:
        assert max((len(piece) + 2) // 3 * 4 for piece in made) <= room


@given(lines.filter(bool), st.integers(1, 300), st.integers(1, 300))
def test_slices_do_not_depend_on_how_the_line_is_read(line: bytes, one: int, other: int) -> None:
    assert cut(blocks_of(line, one), ROOM, ROOM) == cut(blocks_of(line, other), ROOM, ROOM)


@given(lines)
def test_a_line_is_text_when_it_is_valid_utf8(line: bytes) -> None:
    try:
        line.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False

    assert cut(blocks_of(line, 7), ROOM, ROOM).is_text is valid


@pytest.mark.parametrize(
    ("character", "size"),
    [("a", 1), ('"', 2), ("\\", 2), ("\n", 2), ("\x00", 6), ("\x1f", 6), ("\x7f", 1), ("🙂", 4)],
)
def test_slices_are_as_long_as_they_can_be(character: str, size: int) -> None:
    line = character.encode() * 50_000

    slices = cut([line], 60_000, 60_000)

    width = len(character.encode())
    assert slices.starts[1:2] == ([60_000 // size * width] if 50_000 * size > 60_000 else [])


def test_a_character_that_is_cut_off_at_the_end_is_no_text() -> None:
    assert not cut(["ä".encode()[:1]], ROOM, ROOM).is_text
