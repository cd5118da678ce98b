import json
import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from groundwork.utf8 import NotTextError, is_text, quote, unquote, whole_characters

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LONG = st.builds(lambda text, times: text.encode() * times, TEXT.filter(bool), st.integers(1, 30_000))


def is_valid(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(TEXT)
@example('"\\/\b\f\n\r\t\x00\x1f\x7f\u2028é🚀')
def test_a_quoted_text_is_its_json_string_and_comes_back(text: str) -> None:
    quoted = quote(text.encode())

    assert quoted == json.dumps(text, ensure_ascii=False).encode()
    assert unquote(quoted) == text.encode()


@pytest.mark.parametrize("text", ['a "quoted" text ', 'ein "Text" mit ä '])
def test_what_is_held_of_a_quoted_text_is_little_more_than_its_bytes(text: str) -> None:
    data = text.encode() * 800

    tracemalloc.start()
    held = [quote(data) for _ in range(50)]
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert taken < 2.5 * sum(map(len, held))


@given(LONG, st.binary(min_size=1, max_size=9), st.integers(0))
def test_only_what_is_utf8_is_text_and_is_quoted(data: bytes, fault: bytes, place: int) -> None:
    place %= len(data)
    spoiled = data[:place] + fault + data[place:]

    assert is_text(data)
    assert is_text(spoiled) == is_valid(spoiled)
    if is_valid(spoiled):
        assert unquote(quote(spoiled)) == spoiled
    else:
        with pytest.raises(NotTextError):
            quote(spoiled)


@pytest.mark.parametrize("end", ["é".encode()[:1], "€".encode()[:2], "🙂".encode()[:1], "🙂".encode()[:3]])
@pytest.mark.parametrize("size", [0, 5, 16 * 1024 - 1, 16 * 1024, 50_000])
def test_bytes_that_end_amid_a_character_are_no_text(size: int, end: bytes) -> None:
    assert not is_text(b"a" * size + end)


def test_no_run_of_bytes_that_begin_nothing_is_a_text() -> None:
    assert not is_text(b"\x80" * 100_000)
    assert not is_text(b"a" * (16 * 1024 - 2) + b"\x80" * 100_000)


@given(TEXT, st.integers(0))
def test_a_text_that_is_cut_anywhere_has_so_many_whole_characters(text: str, place: int) -> None:
    data = text.encode()
    cut = data[: place % (len(data) + 1)]

    whole = whole_characters(cut)

    assert cut[:whole].decode() == cut.decode("utf-8", "ignore")


@given(st.binary(max_size=12))
def test_of_any_bytes_at_most_three_are_taken_for_the_beginning_of_a_character(data: bytes) -> None:
    assert max(0, len(data) - 3) <= whole_characters(data) <= len(data)
