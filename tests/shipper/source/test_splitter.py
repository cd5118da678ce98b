from collections.abc import Iterable
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from shipper.entry import Line
from shipper.source.fingerprint import MARK_BYTES
from shipper.source.splitter import Splitter

LARGEST = 100
# Lines around the length of a mark and around the longest that is held, and some that are empty.
LINES = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from(
            [1, MARK_BYTES - 2, MARK_BYTES - 1, MARK_BYTES, LARGEST - 1, LARGEST, LARGEST + 1, 300]
        ).map(lambda size: b"x" * size),
    ).map(lambda data: data.replace(b"\n", b"")),
    max_size=12,
)
CUTS = st.lists(st.integers(1, 150), max_size=40)


def lines_of(data: bytes, start: int = 0) -> list[tuple[int, int, int, bytes | None, bytes]]:
    """Return what a splitter has to give out for a file from its first byte on, a torn last line left out."""
    found = []
    end = 0
    for content in data.split(b"\n")[:-1]:
        begin, end = end, end + len(content) + 1
        held = content if len(content) <= LARGEST else None
        tail = data[max(0, end - MARK_BYTES) : end]
        if begin >= start:
            found.append((begin, end, len(content), held, tail))
    return found


def seen(lines: Iterable[Line]) -> list[tuple[int, int, int, bytes | None, bytes]]:
    return [(line.span.start, line.span.end, line.size, line.content, line.tail) for line in lines]


def feed(splitter: Splitter, data: bytes, most: int | None = None) -> list[Line]:
    """Cut some bytes and step over the lines that they complete, or the first ``most`` of them."""
    run = splitter.cut(data)
    if run is None:
        return []
    count = len(run) if most is None else most
    splitter.step_over(run, count)
    return [run.line(number) for number in range(count)]


def pieces(data: bytes, cuts: Iterable[int]) -> Iterable[bytes]:
    start = 0
    for size in cuts:
        yield data[start : start + size]
        start += size
    yield data[start:]


@given(LINES, st.binary(max_size=150).map(lambda data: data.replace(b"\n", b"")), CUTS)
def test_lines_are_the_same_however_the_bytes_are_cut(
    lines: list[bytes], torn: bytes, cuts: list[int]
) -> None:
    data = b"".join(line + b"\n" for line in lines) + torn
    splitter = Splitter(7, 0, LARGEST)

    found = [line for piece in pieces(data, cuts) for line in feed(splitter, piece)]

    assert seen(found) == lines_of(data)
    assert all(line.span.file_id == 7 for line in found)
    assert splitter.offset == len(data) - len(torn)
    assert splitter.read_offset == len(data)
    assert splitter.held_bytes == (len(torn) if len(torn) <= LARGEST else 0)


@given(LINES)
def test_a_byte_at_a_time_is_enough(lines: list[bytes]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    splitter = Splitter(1, 0, LARGEST)

    found = [line for index in range(len(data)) for line in feed(splitter, data[index : index + 1])]

    assert seen(found) == lines_of(data)


@given(LINES, st.lists(st.integers(20, 150), min_size=1, max_size=4))
def test_what_is_paused_is_read_on_from_where_it_says(lines: list[bytes], sizes: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines) + b"torn"
    splitter = Splitter(1, 0, LARGEST)
    found: list[Line] = []

    for size in cycle(sizes):
        turn = splitter.offset
        while splitter.offset == turn and not splitter.is_skipping and splitter.read_offset < len(data):
            found += feed(splitter, data[splitter.read_offset :][:size])
        if splitter.read_offset == len(data):
            break
        found += feed(splitter, data[splitter.read_offset :][:size])
        splitter.pause()
        assert splitter.held_bytes == 0

    assert seen(found) == lines_of(data)


@given(LINES.filter(bool), st.data())
def test_a_line_that_is_not_stepped_over_comes_again(lines: list[bytes], choice: st.DataObject) -> None:
    data = b"".join(line + b"\n" for line in lines)
    splitter = Splitter(1, 0, LARGEST)
    stop = choice.draw(st.integers(0, len(lines) - 1))
    found = feed(splitter, data, stop)

    found += feed(splitter, data[splitter.read_offset :])

    assert seen(found) == lines_of(data)


@given(LINES, st.binary(min_size=1, max_size=150).map(lambda data: data.replace(b"\n", b".")))
def test_a_last_line_without_a_newline_can_be_closed(lines: list[bytes], torn: bytes) -> None:
    data = b"".join(line + b"\n" for line in lines) + torn
    splitter = Splitter(1, 0, LARGEST)
    list(feed(splitter, data))

    line = splitter.close_line()

    held = torn if len(torn) <= LARGEST else None
    tail = data[-MARK_BYTES:]
    assert seen([line]) == [(len(data) - len(torn), len(data), len(torn), held, tail)]
    assert splitter.offset == splitter.read_offset == len(data)


@given(LINES, st.integers(0, 11))
def test_tails_go_on_from_the_bytes_before_a_resumed_offset(lines: list[bytes], skipped: int) -> None:
    data = b"".join(line + b"\n" for line in lines)
    offset = sum(len(line) + 1 for line in lines[:skipped])
    splitter = Splitter(1, offset, LARGEST)
    splitter.tail = data[max(0, offset - MARK_BYTES) : offset]

    assert seen(feed(splitter, data[offset:])) == lines_of(data, offset)


def test_of_a_line_that_is_too_long_nothing_is_held() -> None:
    splitter = Splitter(1, 0, LARGEST)

    for _ in range(50):
        assert not list(feed(splitter, b"x" * 10))
        assert splitter.held_bytes <= LARGEST

    assert splitter.is_skipping
    assert splitter.held_bytes == 0
    splitter.pause()
    assert splitter.read_offset == 500
    splitter.restart_line()
    assert splitter.read_offset == 0
